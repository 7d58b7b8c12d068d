#include "client/session/step_runner.h"

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

const char* Attempted(SessionStep step) {
  switch (step) {
    case SessionStep::kJoin:
      return "join";
    case SessionStep::kAwait:
      return "await work";
    case SessionStep::kDownload:
      return "fetch the model";
    case SessionStep::kUpload:
      return "send the update";
    case SessionStep::kReport:
      return "report";
  }
  return "go on";
}

}  // namespace

StepOutcome StepRunner::Run(SessionStep step, const std::function<absl::Status()>& call) {
  while (!stopping_) {
    absl::Status status = call();
    if (status.ok()) return StepOutcome::kDone;
    if (stopping_) break;
    last_error_ = std::move(status);
    const StepOutcome outcome = Recover(step);
    if (outcome != StepOutcome::kDone) return outcome;
  }
  return StepOutcome::kStopped;
}

// kDone: call again.
StepOutcome StepRunner::Recover(SessionStep step) {
  switch (RecoveryFor(step, last_error_.code())) {
    case Recovery::kRetryFew:
      if (++work_failures_ > kFewRetries) return StepOutcome::kGiveUpWork;
      return WaitAndJoin(step);
    case Recovery::kRetry:
      return WaitAndJoin(step);
    case Recovery::kJoin:
      return FirstInRow() ? JoinAgain(step) : WaitAndJoin(step);
    case Recovery::kNewWork:
      return FirstInRow() || BackOff(step) ? StepOutcome::kNewWork : Interrupted();
    case Recovery::kGiveUpWork:
      return StepOutcome::kGiveUpWork;
    case Recovery::kStop:
      break;
  }
  return StepOutcome::kRefused;
}

// A first surprise needs no wait: a server that has just come back, a round that has just closed.
bool StepRunner::FirstInRow() {
  if (retry_.failures() > 0) return false;
  retry_.NextDelay();
  observer_->OnTrouble(last_error_, "asking the server again");
  return true;
}

StepOutcome StepRunner::Interrupted() const { return stopping_ ? StepOutcome::kStopped : StepOutcome::kGaveUp; }

StepOutcome StepRunner::WaitAndJoin(SessionStep step) { return BackOff(step) ? JoinAgain(step) : Interrupted(); }

StepOutcome StepRunner::JoinAgain(SessionStep step) {
  if (step == SessionStep::kJoin) return StepOutcome::kDone;
  const StepOutcome joined = Run(SessionStep::kJoin, join_);
  // After a break the server may have given the assignment up: ask before spending more bytes on it.
  return joined == StepOutcome::kDone && step == SessionStep::kDownload ? StepOutcome::kNewWork : joined;
}

bool StepRunner::BackOff(SessionStep step) {
  const absl::Duration delay = retry_.NextDelay();
  if (options_.max_failures > 0 && retry_.failures() > options_.max_failures) return false;
  observer_->OnTrouble(last_error_, absl::StrCat("waiting for server ", options_.server, " to ", Attempted(step),
                                                 "; failure ", retry_.failures(), " in a row, next try in ",
                                                 absl::FormatDuration(absl::Trunc(delay, absl::Milliseconds(1)))));
  return sleeper_->Sleep(delay);
}

void StepRunner::Stop() {
  stopping_ = true;
  sleeper_->Interrupt();
}

}  // namespace thinwire
