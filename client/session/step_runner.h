// One step of a session (a call, or a few that belong together), repeated until it succeeds or repeating is of no use.
#ifndef THINWIRE_CLIENT_SESSION_STEP_RUNNER_H_
#define THINWIRE_CLIENT_SESSION_STEP_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/session/error_policy.h"
#include "client/session/retry_policy.h"
#include "client/session/session_observer.h"
#include "client/session/sleeper.h"

namespace thinwire {

enum class StepOutcome {
  kDone,        // it succeeded
  kNewWork,     // await an assignment: what was assigned is gone, or may have changed meanwhile
  kGiveUpWork,  // report the assignment as failed
  kRefused,     // the server will not have this client
  kGaveUp,      // too many failures in a row
  kStopped,     // Stop was called
};

// Thread-compatible, except Stop and stopping.
class StepRunner {
 public:
  struct Options {
    std::string server;         // for messages
    uint32_t max_failures = 0;  // in a row, after which it gives up; 0: never
    uint64_t seed = 0;          // of the jitter
  };

  // `join` makes the client known to the server (again). The pointers must outlive it.
  StepRunner(Options options, Sleeper* sleeper, SessionObserver* observer, std::function<absl::Status()> join)
      : options_(std::move(options)),
        sleeper_(sleeper),
        observer_(observer),
        join_(std::move(join)),
        retry_(options_.seed) {}

  // Repeats `call` as RecoveryFor says, with a wait before each repetition; joins again before it where that is due.
  StepOutcome Run(SessionStep step, const std::function<absl::Status()>& call);
  // Waits before coming back, as the server asked. False if stopped meanwhile.
  bool WaitWithin(const RetryWindow& window) { return sleeper_->Sleep(retry_.ComeBackDelay(window)); }

  void SetWindow(const RetryWindow& window) { retry_.SetWindow(window); }
  // The link and the server work: the next failure is the first in a row.
  void NoteProgress() { retry_.Reset(); }
  // Another assignment begins: its failures are counted anew.
  void NoteNewWork() { work_failures_ = 0; }

  // From any thread: ends a wait under way; Run returns kStopped after the call under way.
  void Stop();
  bool stopping() const { return stopping_; }
  // Of the last failed call.
  const absl::Status& last_error() const { return last_error_; }

 private:
  StepOutcome Recover(SessionStep step);
  bool FirstInRow();
  StepOutcome Interrupted() const;
  StepOutcome WaitAndJoin(SessionStep step);
  StepOutcome JoinAgain(SessionStep step);
  bool BackOff(SessionStep step);

  const Options options_;
  Sleeper* const sleeper_;
  SessionObserver* const observer_;
  const std::function<absl::Status()> join_;
  RetryPolicy retry_;
  int work_failures_ = 0;
  absl::Status last_error_;
  std::atomic<bool> stopping_{false};
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_STEP_RUNNER_H_
