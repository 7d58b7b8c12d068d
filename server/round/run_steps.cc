// What RoundCoordinator does outside the rounds: initial weights, evaluations, the end.
#include "absl/strings/str_cat.h"
#include "server/round/names.h"
#include "server/round/round_coordinator.h"

namespace thinwire {

bool RoundCoordinator::StepInitializing() {
  if (version_.has_value()) {
    state_ = RunState::kRunning;
    return true;
  }
  if (initial_.failures() >= options_.max_failed_rounds) {
    return Finish(RunState::kFailed, absl::StrCat("initial weights failed ", initial_.failures(),
                                                  " times, the last time: ", initial_.last_failure()));
  }
  if (!options_.ask_client_for_initial) return false;
  const bool slow = initial_.open() != nullptr && !initial_.received() && now_ >= deadline_;
  if (slow && waiting_.waiting(Role::kTrainer) > 0) {
    EmitSettle(initial_.End(AssignmentState::kDropped,
                            absl::StrCat("deadline: no initial weights within ", SecondsText(options_.deadline))));
  }
  if (initial_.open() != nullptr) return false;
  const std::optional<std::string> client = initial_.Choose(waiting_.WaitingByArrival(Role::kTrainer));
  if (!client.has_value()) return false;
  deadline_ = now_ + options_.deadline;
  AssignTo(initial_.Ask(*client), /*repeated=*/false);
  return false;
}

bool RoundCoordinator::NextRound() {
  if (failed_rounds_ >= options_.max_failed_rounds) {
    return Finish(RunState::kFailed,
                  absl::StrCat(CountText(failed_rounds_, "round"), " failed in a row, the last: ", last_failure_));
  }
  if (*version_ >= options_.rounds) {
    state_ = RunState::kEvaluating;
    deadline_ = now_ + options_.final_evaluation_wait;
    return true;
  }
  ledger_ = RoundLedger(ledger_.round() + 1, *version_);
  late_.NextRound();
  round_state_ = RoundState::kInviting;
  deadline_ = now_ + options_.invite_wait;
  return true;
}

void RoundCoordinator::AssignEvaluations() {
  if (ended() || evaluations_.due() == evaluations_.under_way()) return;
  for (const std::string& client : waiting_.WaitingByArrival(Role::kEvaluator)) {
    const std::optional<uint64_t> version = evaluations_.NextFor(client);
    if (version.has_value()) AssignTo(evaluations_.Start(client, *version), /*repeated=*/false);
  }
}

bool RoundCoordinator::StepEvaluating() {
  const std::string published = absl::StrCat(CountText(options_.rounds, "round"), " published");
  if (evaluations_.due() == 0) return Finish(RunState::kCompleted, published);
  if (!evaluator_seen_) return Finish(RunState::kCompleted, published + ", no evaluator ever joined");
  const std::string missing = absl::StrCat(published, ", without ", CountText(evaluations_.due(), "evaluation"), ": ");
  if (now_ >= deadline_) {
    return Finish(RunState::kCompleted,
                  absl::StrCat(missing, "not reported within ", SecondsText(options_.final_evaluation_wait)));
  }
  const bool anybody = waiting_.AnyKnown(Role::kEvaluator, [](const std::string&) { return true; });
  const bool able = waiting_.AnyKnown(
      Role::kEvaluator, [this](const std::string& client) { return evaluations_.NextFor(client).has_value(); });
  if (evaluations_.under_way() > 0 || !anybody || able) return false;
  return Finish(RunState::kCompleted, missing + "every evaluator failed");
}

bool RoundCoordinator::Finish(RunState state, const std::string& reason) {
  const std::string over = absl::StrCat("run ", Name(state), ": ", reason);
  if (round_open()) EndRoundWithout(over, over);
  if (round_state_ == RoundState::kInviting) round_state_ = RoundState::kIdle;
  if (initial_.open() != nullptr) EmitSettle(initial_.End(AssignmentState::kDiscarded, over));
  for (const Settle& settle : evaluations_.Abandon(over)) EmitSettle(settle);
  state_ = state;
  reason_ = reason;
  Emit(FinishRun{state, reason});
  for (const Role role : {Role::kTrainer, Role::kEvaluator}) {
    for (const std::string& client : waiting_.Waiting(role)) {
      waiting_.Leave(client);
      Emit(Dismiss{client});
    }
  }
  return false;
}

}  // namespace thinwire
