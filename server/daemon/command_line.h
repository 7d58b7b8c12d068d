// The command line of thinwire-server.
#ifndef THINWIRE_SERVER_DAEMON_COMMAND_LINE_H_
#define THINWIRE_SERVER_DAEMON_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct CommandLine {
  std::string config;
  // Overrides of the configuration; empty: as the file says.
  std::string state_dir;
  std::string listen_federation;
  std::string listen_control;
  std::string listen_http;
  std::string log_level = "info";
  std::string fail_point;  // for tests
  bool insecure = false;
  bool exit_when_done = false;
  bool check = false;
  bool help = false;
  bool version = false;
};

// Flags are "--name value" or "--name=value". INVALID_ARGUMENT, naming the flag, for an unknown one, a missing value, a
// stray argument, or if --config is missing where it is needed.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// What --help prints.
std::string HelpText();

}  // namespace thinwire

#endif  // THINWIRE_SERVER_DAEMON_COMMAND_LINE_H_
