// thinwire-server from its configuration to its exit code.
#ifndef THINWIRE_SERVER_DAEMON_DAEMON_H_
#define THINWIRE_SERVER_DAEMON_DAEMON_H_

#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/daemon/command_line.h"

namespace thinwire {

// Exit codes, documented by --help.
enum ExitCode { kExitOk = 0, kExitUsage = 2, kExitState = 3, kExitRunFailed = 4 };

// The configuration with the flags' overrides, checked as a whole.
absl::StatusOr<ServerConfig> EffectiveConfiguration(const CommandLine& flags);

// Serves until a signal comes, the run is done (with --exit-when-done), or the state directory fails.
int RunDaemon(const CommandLine& flags, const ServerConfig& config);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_DAEMON_DAEMON_H_
