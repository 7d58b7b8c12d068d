#include "client/daemon/client_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace thinwire {

void SetUpClientLog(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("thinwire-client");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
  spdlog::set_default_logger(logger);
}

void LoggingObserver::OnState(SessionState state, const std::string& detail) {
  spdlog::info("state={} detail=\"{}\"", SessionStateName(state), detail);
}

void LoggingObserver::OnTrouble(const absl::Status& error, const std::string& next) {
  spdlog::warn("trouble error=\"{}\" next=\"{}\"", error.ToString(), next);
}

void LoggingObserver::OnReceipt(const std::string& assignment, const std::string& state) {
  spdlog::info("receipt assignment={} state={}", assignment, state);
}

void LoggingObserver::OnProgress(const std::string& line) { spdlog::info("progress \"{}\"", line); }

}  // namespace thinwire
