// The command line of thinwire-client.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/credentials.h"

namespace thinwire {

// Exit codes, documented by --help.
enum class ClientExit {
  kOk = 0,
  kUsage = 2,
  kRefused = 3,
  kRunFailed = 4,
  kGaveUp = 5,
  kState = 6,
};

struct ClientFlags {
  std::string server;
  std::string role = "trainer";
  std::string task = "classify";
  std::string model = "cnn";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string partition = "iid";
  std::string shard = "0/1";
  uint64_t samples = 0;
  uint64_t seed = 0;
  std::string device = "cpu";
  uint64_t threads = 1;
  uint64_t echo_parameters = 0;  // 0: whatever model the run has
  uint64_t echo_examples = 1;
  std::string state = "thinwire-client-state";
  std::string client_id;
  uint64_t max_rounds = 0;
  uint64_t max_failures = 0;
  std::string log_level = "info";
  std::string ca;
  std::string cert;
  std::string key;
  bool insecure = false;
  bool once = false;
  bool help = false;
  bool version = false;
};

// Flags are "--name value" or "--name=value"; a later one wins. INVALID_ARGUMENT, naming flag, value, limit and way
// out, for an unknown flag, a missing value, a stray argument, a value out of range, or if --server is missing.
absl::StatusOr<ClientFlags> ParseClientFlags(const std::vector<std::string>& arguments);

// How the flags say to reach the server.
SecurityFlags SecurityOf(const ClientFlags& flags);

// What --help prints.
std::string ClientHelp();

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_FLAGS_H_
