// What makes the daemon leave: a signal, or something that its server says.
#ifndef THINWIRE_SERVER_DAEMON_EXIT_EVENTS_H_
#define THINWIRE_SERVER_DAEMON_EXIT_EVENTS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "server/round/events.h"

namespace thinwire {

// One per process. Thread-safe, but for Wait.
class ExitEvents {
 public:
  // Blocks SIGTERM and SIGINT for this thread and those that it starts, so that Wait can take them.
  ExitEvents();
  ~ExitEvents();

  void RunFinished(RunState state);
  void EverybodyTold();
  void Broken(const absl::Status& status);

  struct State {
    std::optional<int> signal;
    std::optional<RunState> finished;
    bool everybody_told = false;
    absl::Status broken;
  };
  // Waits for the next event, or for `timeout`; returns all that has happened so far.
  State Wait(absl::Duration timeout);

 private:
  void Wake();

  int signal_fd_ = -1;
  int wake_fd_ = -1;
  Mutex mutex_;
  State state_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_DAEMON_EXIT_EVENTS_H_
