// Communication only: clients that return what they got plus a perturbation. Rounds a second, bytes, CPU and peak
// memory of the server, with everything synced to disk as in earnest. Prints one Markdown row per case.
//
//   federation_bench [PARAMETERS:CLIENTS:ROUNDS ...]     default: 1000000:4:50 and 10000000:{1,4,16}:3
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "tests/testing/cluster.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

struct Case {
  uint64_t parameters = 0;
  int clients = 0;
  int rounds = 0;
};

struct Result {
  double rounds_per_second = 0;  // from the first published version to the last
  uint64_t server_peak_rss = 0;  // bytes
  double server_cpu_per_round = 0;
  uint64_t down = 0;  // message_bytes of all clients
  uint64_t up = 0;
};

absl::StatusOr<Case> ParseCase(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Case parsed;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &parsed.parameters) ||
      !absl::SimpleAtoi(parts[1], &parsed.clients) || !absl::SimpleAtoi(parts[2], &parsed.rounds) ||
      parsed.rounds < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not PARAMETERS:CLIENTS:ROUNDS with at least 2 rounds, e.g. 1000000:4:50"));
  }
  return parsed;
}

// VmHWM, the kernel's exact peak of a living process.
uint64_t PeakRss(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    uint64_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lu kB", &kilobytes) == 1) return kilobytes * 1024;
  }
  return 0;
}

double CpuSeconds(pid_t pid) {
  std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const std::vector<std::string> fields = absl::StrSplit(text.substr(text.rfind(')') + 2), ' ');
  double user = 0, system = 0;
  if (fields.size() < 13 || !absl::SimpleAtod(fields[11], &user) || !absl::SimpleAtod(fields[12], &system)) return 0;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::string ConfigOf(const Case& bench) {
  return absl::StrCat("run { rounds: ", bench.rounds,
                      " seed: 1 }\nmodel { from_client_seed: 1 }\nround { clients: ", bench.clients,
                      " }\ntraining { learning_rate: 0.001 }\n",
                      "aggregation { max_update_norm: 100000 }\nplan { preset: PLAN_PRESET_FP32 }\n");
}

absl::StatusOr<Result> Run(const Case& bench) {
  const TemporaryDirectory folder;
  Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
  TW_RETURN_IF_ERROR(cluster.StartServer(ConfigOf(bench)));
  cluster.DialDirectly();
  for (int i = 0; i < bench.clients; ++i) {
    TW_RETURN_IF_ERROR(
        cluster.StartClient(absl::StrCat("c", i), {"--task=echo", absl::StrCat("--echo-parameters=", bench.parameters)})
            .status());
  }
  const pid_t server = cluster.server().pid();
  TW_RETURN_IF_ERROR(
      cluster.AwaitStatus([](const v1::Status& now) { return now.version() >= 1; }, absl::Minutes(30)).status());
  const Monotonic start = Clock::System()->Now();
  const double cpu = CpuSeconds(server);
  TW_ASSIGN_OR_RETURN(const v1::Status end, cluster.AwaitEnd(absl::Minutes(60)));
  Result result;
  result.rounds_per_second = (bench.rounds - 1) / absl::ToDoubleSeconds(Clock::System()->Now() - start);
  result.server_peak_rss = PeakRss(server);
  result.server_cpu_per_round = (CpuSeconds(server) - cpu) / (bench.rounds - 1);
  result.down = end.trainer_traffic().down().message_bytes();
  result.up = end.trainer_traffic().up().message_bytes();
  if (end.state() != v1::RUN_STATE_COMPLETED) return absl::InternalError(absl::StrCat("run failed: ", end.reason()));
  return result;
}

void PrintRow(const Case& bench, const Result& result) {
  const double model = 4.0 * static_cast<double>(bench.parameters);
  const auto rss = static_cast<double>(result.server_peak_rss);
  std::printf("| %lu | %d | %d | %.2f | %.3f | %.0f | %.2f | %.1f | %.1f |\n", bench.parameters, bench.clients,
              bench.rounds, result.rounds_per_second, result.server_cpu_per_round, rss / (1 << 20),
              (rss - (64 << 20)) / model, static_cast<double>(result.down) / 1e6, static_cast<double>(result.up) / 1e6);
  std::fflush(stdout);
}

int Main(const std::vector<std::string>& arguments) {
  std::printf(
      "| parameters | clients | rounds | rounds/s | server CPU s/round | server peak MiB | (peak - 64 MiB) / model | "
      "messages "
      "down MB | messages up MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const std::string& argument : arguments) {
    const absl::StatusOr<Case> bench = ParseCase(argument);
    if (!bench.ok()) {
      std::fprintf(stderr, "federation_bench: %s\n", std::string(bench.status().message()).c_str());
      return 2;
    }
    const absl::StatusOr<Result> result = Run(*bench);
    if (!result.ok()) {
      std::fprintf(stderr, "federation_bench: %s: %s\n", argument.c_str(), result.status().ToString().c_str());
      return 1;
    }
    PrintRow(*bench, *result);
  }
  return 0;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) arguments = {"1000000:4:50", "10000000:1:3", "10000000:4:3", "10000000:16:3"};
  return thinwire::Main(arguments);
}
