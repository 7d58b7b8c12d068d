// The verbs of the operator's tool. Each prints its result to stdout, its errors and progress to stderr, and returns
// the exit code.
#ifndef THINWIRE_CLIENT_CLI_VERBS_H_
#define THINWIRE_CLIENT_CLI_VERBS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "client/cli/exit_codes.h"
#include "common/rpc/credentials.h"

namespace thinwire {

struct CliOptions {
  std::string server = "127.0.0.1:9481";  // control port
  SecurityFlags security;
  bool json = false;
  std::optional<uint64_t> version;  // export
  std::string out;                  // export
  std::string reason;               // stop
  std::string file;                 // inspect
};

CliExit RunStatus(const CliOptions& options);
CliExit RunRounds(const CliOptions& options);
CliExit RunUploads(const CliOptions& options);
CliExit RunClients(const CliOptions& options);
CliExit RunStart(const CliOptions& options);
CliExit RunStop(const CliOptions& options);
CliExit RunWatch(const CliOptions& options);
CliExit RunExport(const CliOptions& options);
CliExit RunInspect(const CliOptions& options);

// Prints "thinwire: <status>" to stderr and returns the code for it.
CliExit Complain(const absl::Status& status);
// The same of a file on this machine.
CliExit ComplainOfFile(const absl::Status& status);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_VERBS_H_
