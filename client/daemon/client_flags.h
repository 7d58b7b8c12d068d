// The command line of a client program.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct ClientTask;
struct SecurityFlags;

// Exit codes, documented by --help.
enum class ClientExit {
  kOk = 0,
  kUsage = 2,
  kRefused = 3,
  kRunFailed = 4,
  kGaveUp = 5,
  kState = 6,
};

// What every client has; a task's own flags go where the task says.
struct ClientFlags {
  std::string server;
  std::string role = "trainer";
  std::string task;
  std::string state = "thinwire-client-state";
  std::string client_id;
  uint64_t max_rounds = 0;
  uint64_t max_failures = 0;
  std::string uplink;
  std::string log_level = "info";
  std::string ca;
  std::string cert;
  std::string key;
  bool insecure = false;
  bool once = false;
  bool help = false;
  bool version = false;
};

// Reads these flags and those of the task chosen; the first task is the default. Flags of other tasks are read and
// ignored, where the chosen one has none of that name. Errors as ReadCommandLine's; INVALID_ARGUMENT
// also if --server is missing or flags contradict each other.
absl::StatusOr<ClientFlags> ParseClientFlags(const std::vector<std::string>& arguments,
                                             const std::vector<ClientTask>& tasks);

// How the flags say to reach the server.
SecurityFlags SecurityOf(const ClientFlags& flags);

// What --help prints for the program `name`.
std::string ClientHelp(const std::string& name, const std::vector<ClientTask>& tasks);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_
