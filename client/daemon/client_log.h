// The client's log: structured lines on stderr, one for each change of state.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_LOG_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_LOG_H_

#include <string>

#include "client/session/session_observer.h"

namespace thinwire {

// Makes `level` (a spdlog name, or "warn") the process's log level and stderr its log.
void SetUpClientLog(const std::string& level);

// Thread-safe.
class LoggingObserver : public SessionObserver {
 public:
  void OnState(SessionState state, const std::string& detail) override;
  void OnTrouble(const absl::Status& error, const std::string& next) override;
  void OnReceipt(const std::string& assignment, const std::string& state) override;
  void OnProgress(const std::string& line) override;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_LOG_H_
