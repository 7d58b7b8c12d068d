// What a session tells whoever watches it: a daemon's log, a test's record.
#ifndef THINWIRE_CLIENT_SESSION_SESSION_OBSERVER_H_
#define THINWIRE_CLIENT_SESSION_SESSION_OBSERVER_H_

#include <string>

#include "absl/status/status.h"

namespace thinwire {

enum class SessionState {
  kJoining,
  kAwaiting,
  kDownloading,
  kInitializing,
  kTraining,
  kEvaluating,
  kEncoding,
  kUploading,
  kReporting,
  kLeaving,
  kEnded,
};

const char* SessionStateName(SessionState state);

// Thread-safe: the heartbeat's thread calls OnTrouble too.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // A state is entered; `detail` is for people and may be empty.
  virtual void OnState(SessionState state, const std::string& detail) = 0;
  // Something went wrong that the session survives; `next` says what it does about it.
  virtual void OnTrouble(const absl::Status& error, const std::string& next) = 0;
  // The server has answered for an update; `state` is received, folded, discarded or failed.
  virtual void OnReceipt(const std::string& assignment, const std::string& state) {
    (void)assignment;
    (void)state;
  }
  // How far the current state has got, now and then.
  virtual void OnProgress(const std::string& line) = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_SESSION_OBSERVER_H_
