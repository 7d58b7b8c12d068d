// Communication only: clients that return what they got plus a perturbation, over loopback, everything synced to disk
// before it is acknowledged. Prints one Markdown row per case, and the disk's rate beside them.
//
//   federation_bench [PARAMETERS:CLIENTS:ROUNDS[:PLAN] ...]     PLAN is fp32 (default) or s1e3m7
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tests/testing/cluster.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

// Every size with every number of clients, in both plans. The largest, 100M parameters with 16 clients, takes by
// reckoning 7 GB of memory and 21 GB below /tmp.
const std::vector<std::string> kDefaultCases = {
    "1000000:1:30",         "1000000:4:50",         "1000000:16:15",         // fp32
    "10000000:1:6",         "10000000:4:6",         "10000000:16:4",         //
    "100000000:1:3",        "100000000:4:3",        "100000000:16:2",        //
    "1000000:1:30:s1e3m7",  "1000000:4:50:s1e3m7",  "1000000:16:15:s1e3m7",  //
    "10000000:1:6:s1e3m7",  "10000000:4:6:s1e3m7",  "10000000:16:4:s1e3m7",  //
    "100000000:1:3:s1e3m7", "100000000:4:3:s1e3m7", "100000000:16:2:s1e3m7"};

struct Case {
  uint64_t parameters = 0;
  int clients = 0;
  int rounds = 0;
  std::string plan = "fp32";
};

struct Result {
  double seconds_per_round = 0;  // from the first published version to the last
  double server_cpu = 0;         // seconds per round
  double client_cpu = 0;         // seconds per round, of one
  uint64_t server_peak = 0;      // resident, bytes
  uint64_t client_peak = 0;      // of the largest
  uint64_t down = 0;             // message_bytes of all clients in the whole run
  uint64_t up = 0;
};

absl::StatusOr<Case> ParseCase(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Case parsed;
  if (parts.size() == 4) parsed.plan = parts[3];
  if (parts.size() < 3 || parts.size() > 4 || !absl::SimpleAtoi(parts[0], &parsed.parameters) ||
      !absl::SimpleAtoi(parts[1], &parsed.clients) || !absl::SimpleAtoi(parts[2], &parsed.rounds) ||
      parsed.rounds < 2 || (parsed.plan != "fp32" && parsed.plan != "s1e3m7")) {
    return absl::InvalidArgumentError(absl::StrCat("'", text,
                                                   "' is not PARAMETERS:CLIENTS:ROUNDS[:PLAN] with at least 2 rounds "
                                                   "and plan fp32 or s1e3m7, e.g. 1000000:4:50:s1e3m7"));
  }
  return parsed;
}

// Bytes a second that reach the disk of `folder`, written and synced.
absl::StatusOr<double> DiskRate(const std::string& folder) {
  constexpr size_t kPiece = size_t{1} << 20;
  constexpr uint64_t kPieces = 256;
  const std::string piece(kPiece, 'x');
  TW_ASSIGN_OR_RETURN(File file, File::Create(JoinPath(folder, "disk")));
  const Monotonic start = Clock::System()->Now();
  for (uint64_t i = 0; i < kPieces; ++i) TW_RETURN_IF_ERROR(file.WriteAt(i * kPiece, piece));
  TW_RETURN_IF_ERROR(file.Sync());
  return static_cast<double>(kPiece * kPieces) / absl::ToDoubleSeconds(Clock::System()->Now() - start);
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
  return absl::StrCat(
      "run { rounds: ", bench.rounds, " seed: 1 }\nmodel { from_client_seed: 1 }\nround { clients: ", bench.clients,
      " }\ntraining { learning_rate: 0.001 }\n", "aggregation { max_update_norm: 100000 }\nplan { preset: PLAN_PRESET_",
      absl::AsciiStrToUpper(bench.plan), " }\n");
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
  const int rounds = bench.rounds - 1;
  Result result;
  result.seconds_per_round = absl::ToDoubleSeconds(Clock::System()->Now() - start) / rounds;
  result.server_peak = PeakRss(server);
  result.server_cpu = (CpuSeconds(server) - cpu) / rounds;
  result.down = end.trainer_traffic().down().message_bytes();
  result.up = end.trainer_traffic().up().message_bytes();
  if (end.state() != v1::RUN_STATE_COMPLETED) return absl::InternalError(absl::StrCat("run failed: ", end.reason()));
  TW_RETURN_IF_ERROR(cluster.AwaitClients(absl::Minutes(1)));
  for (int i = 0; i < bench.clients; ++i) {
    const std::optional<ProcessExit> exit = cluster.client(static_cast<size_t>(i)).Wait(absl::ZeroDuration());
    if (!exit.has_value()) continue;
    result.client_cpu += exit->cpu_seconds / bench.clients / bench.rounds;
    result.client_peak = std::max(result.client_peak, exit->peak_rss_bytes);
  }
  return result;
}

double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void PrintRow(const Case& bench, const Result& result) {
  const double model = 4.0 * static_cast<double>(bench.parameters);
  const double share = (static_cast<double>(result.server_peak) - (64 << 20)) / model;
  std::printf("| %lu | %s | %d | %d | %.3f | %.3f | %.3f | %.0f | %.2f | %.0f | %.2f | %.2f |\n", bench.parameters,
              bench.plan.c_str(), bench.clients, bench.rounds, result.seconds_per_round, result.server_cpu,
              result.client_cpu, Mebibytes(result.server_peak), share, Mebibytes(result.client_peak),
              static_cast<double>(result.down) / bench.rounds / 1e6,
              static_cast<double>(result.up) / bench.rounds / 1e6);
  std::fflush(stdout);
}

absl::Status PrintHead() {
  const TemporaryDirectory folder;
  TW_ASSIGN_OR_RETURN(const double rate, DiskRate(folder.path()));
  std::printf(
      "Disk: %.0f MB/s written and synced (256 MiB). Cores: %ld.\n\n"
      "| parameters | plan | clients | rounds | s/round | server CPU s/round | a client's CPU s/round | server peak "
      "MiB "
      "| (peak - 64 MiB) / model | client peak MiB | MB down/round | MB up/round |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      rate / 1e6, sysconf(_SC_NPROCESSORS_ONLN));
  std::fflush(stdout);
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& arguments) {
  const absl::Status head = PrintHead();
  if (!head.ok()) {
    std::fprintf(stderr, "federation_bench: %s\n", head.ToString().c_str());
    return 1;
  }
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

int RunBench(std::vector<std::string> arguments) {
  if (arguments.empty()) arguments = kDefaultCases;
  return Main(arguments);
}

}  // namespace thinwire

int main(int argc, char** argv) { return thinwire::RunBench({argv + 1, argv + argc}); }
