// The command line of the operator's tool.
#ifndef THINWIRE_CLIENT_CLI_ARGUMENTS_H_
#define THINWIRE_CLIENT_CLI_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/verbs.h"

namespace thinwire {

struct CliCommand {
  std::string verb;  // "status", ..., "help" or "version"
  CliOptions options;
};

// `arguments` without the program's name. INVALID_ARGUMENT naming the argument and the way out.
absl::StatusOr<CliCommand> ParseCliArguments(const std::vector<std::string>& arguments);

// The text of --help.
std::string CliHelp();

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_ARGUMENTS_H_
