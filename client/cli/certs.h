// The verb `thinwire certs`: an authority in a folder, and certificates from it. See certificate_folder.h for the
// files.
#ifndef THINWIRE_CLIENT_CLI_CERTS_H_
#define THINWIRE_CLIENT_CLI_CERTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/exit_codes.h"

namespace thinwire {

struct CertsCommand {
  std::string action;  // "init", "server", "client", "operator", "revoke", "list" or "help"
  std::string directory;
  std::vector<std::string> hosts;      // --server
  std::string name;                    // --name
  std::vector<std::string> clients;    // --clients
  std::vector<std::string> operators;  // --operators
  uint64_t days = 0;                   // --days; 0: the action's default
  bool replace = false;
  bool json = false;
};

// `arguments` after "certs". INVALID_ARGUMENT naming the argument and the way out.
absl::StatusOr<CertsCommand> ParseCertsArguments(const std::vector<std::string>& arguments);
// What --help prints.
std::string CertsHelp();

// Prints what was made to stdout, errors to stderr.
CliExit RunCerts(const std::vector<std::string>& arguments);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_CERTS_H_
