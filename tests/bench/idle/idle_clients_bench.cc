// What clients cost that only wait: server memory, threads and descriptors for each, and whether a round among 16
// others notices them. Prints one Markdown row per number of idle clients.
//
//   idle_clients_bench [--tls] [IDLE ...]     default: 0 2000 10000; with --tls 0 2000
//
// --tls: mutual TLS, with a certificate for each client.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "tests/bench/idle/idle_clients.h"
#include "tests/testing/cluster.h"
#include "tests/testing/temporary_directory.h"
#include "tests/testing/test_authority.h"

namespace thinwire {
namespace {

constexpr int kProcesses = 4;
constexpr int kActive = 16;
constexpr int kRounds = 20;

struct Footprint {
  uint64_t rss = 0;  // bytes
  uint64_t threads = 0;
};

struct Result {
  Footprint before, after;
  double seconds_per_round = 0;
};

Footprint FootprintOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  Footprint footprint;
  for (std::string line; std::getline(status, line);) {
    uint64_t value = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %lu kB", &value) == 1) footprint.rss = value * 1024;
    if (std::sscanf(line.c_str(), "Threads: %lu", &value) == 1) footprint.threads = value;
  }
  return footprint;
}

std::string Config() {
  return absl::StrCat("run { rounds: ", kRounds, " seed: 1 wait_for_start: true }\nmodel { from_client_seed: 1 }\n",
                      "round { clients: ", kActive, " }\ntraining { learning_rate: 0.001 }\n",
                      "aggregation { max_update_norm: 100000 }\nplan { preset: PLAN_PRESET_S1E3M7 }\n",
                      "evaluation { every: 0 }\nclient { lease { seconds: 600 } }\n",
                      "limits { evaluators: 1000000 }\n");
}

// How many of `idle` clients process `i` holds, and the beginning of their names.
int ShareOf(int idle, int i) { return idle / kProcesses + (i < idle % kProcesses ? 1 : 0); }
std::string PrefixOf(int i) { return absl::StrCat("idle", i, "-"); }

// An authority in `directory`, with certificates for everybody.
absl::Status SetUpTls(const std::string& directory, int idle, Cluster* cluster) {
  TestAuthority authority(directory);
  authority.Server();
  for (int i = 0; i < kActive; ++i) authority.Client(absl::StrCat("c", i));
  for (int i = 0; i < kProcesses; ++i) {
    for (int j = 0; j < ShareOf(idle, i); ++j) authority.Client(absl::StrCat(PrefixOf(i), j));
  }
  cluster->UseTls(authority.SecuritySection(), authority.Operator("bench"));
  return absl::OkStatus();
}

std::vector<std::string> ActiveFlags(const std::string& authority, const std::string& id) {
  std::vector<std::string> flags = {"--task=echo", "--echo-parameters=100000"};
  if (authority.empty()) return flags;
  const TlsFiles files = CertificateFolder::Open(authority)->FilesOf(PeerRole::kClient, id);
  flags.insert(flags.end(), {"--ca=" + files.ca, "--cert=" + files.certificate, "--key=" + files.key});
  return flags;
}

absl::StatusOr<std::vector<ChildProcess>> StartIdle(const Cluster& cluster, int idle, const std::string& authority) {
  std::vector<ChildProcess> processes;
  for (int i = 0; i < kProcesses; ++i) {
    const int share = ShareOf(idle, i);
    if (share == 0) continue;
    ProcessSpec spec;
    spec.name = absl::StrCat("idle", i);
    spec.command = {"/proc/self/exe",    "--idle", cluster.federation_address(), PrefixOf(i),
                    absl::StrCat(share), authority};
    spec.log_path = cluster.Path(spec.name + ".log");
    TW_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start(spec));
    processes.push_back(std::move(process));
  }
  return processes;
}

absl::Status StartTheRun(Cluster& cluster) {
  grpc::ClientContext context;
  v1::StartRunResponse response;
  const grpc::Status status = cluster.control().StartRun(&context, {}, &response);
  return status.ok() ? absl::OkStatus() : absl::InternalError(status.error_message());
}

absl::StatusOr<Result> Run(int idle, bool tls) {
  const TemporaryDirectory folder;
  Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
  const std::string authority = tls ? folder.Path("authority") : "";
  if (tls) TW_RETURN_IF_ERROR(SetUpTls(authority, idle, &cluster));
  TW_RETURN_IF_ERROR(cluster.StartServer(Config()));
  cluster.DialDirectly();
  for (int i = 0; i < kActive; ++i) {
    const std::string id = absl::StrCat("c", i);
    TW_RETURN_IF_ERROR(cluster.StartClient(id, ActiveFlags(authority, id)).status());
  }
  const auto ready = [](const v1::Status& now) {
    return now.trainers() == kActive && now.version() == 0 && now.round() == 1;
  };
  TW_RETURN_IF_ERROR(cluster.AwaitStatus(ready, absl::Minutes(2)).status());

  Result result;
  result.before = FootprintOf(cluster.server().pid());
  TW_ASSIGN_OR_RETURN(const std::vector<ChildProcess> processes, StartIdle(cluster, idle, authority));
  const auto joined = [idle](const v1::Status& now) { return now.evaluators() == static_cast<uint32_t>(idle); };
  TW_RETURN_IF_ERROR(cluster.AwaitStatus(joined, absl::Minutes(5)).status());
  std::this_thread::sleep_for(std::chrono::seconds(2));  // their next calls come in
  result.after = FootprintOf(cluster.server().pid());

  TW_RETURN_IF_ERROR(StartTheRun(cluster));
  TW_RETURN_IF_ERROR(
      cluster.AwaitStatus([](const v1::Status& now) { return now.version() >= 1; }, absl::Minutes(5)).status());
  const Monotonic start = Clock::System()->Now();
  TW_RETURN_IF_ERROR(cluster.AwaitEnd(absl::Minutes(10)).status());
  result.seconds_per_round = absl::ToDoubleSeconds(Clock::System()->Now() - start) / (kRounds - 1);
  return result;
}

void PrintRow(int idle, const Result& result) {
  const double grown = static_cast<double>(result.after.rss) - static_cast<double>(result.before.rss);
  std::printf("| %d | %.1f | %s | %lu | %.3f |\n", idle, static_cast<double>(result.after.rss) / 1e6,
              idle == 0 ? "-" : absl::StrCat(static_cast<int>(grown / idle / 1000)).c_str(), result.after.threads,
              result.seconds_per_round);
  std::fflush(stdout);
}

int Main(std::vector<std::string> arguments) {
  const bool tls = !arguments.empty() && arguments[0] == "--tls";
  if (tls) arguments.erase(arguments.begin());
  if (arguments.empty())
    arguments = tls ? std::vector<std::string>{"0", "2000"} : std::vector<std::string>{"0", "2000", "10000"};
  std::printf(
      "| idle clients | server MB | kB each | server threads | s/round of %d others, 100k parameters |\n"
      "|---|---|---|---|---|\n",
      kActive);
  for (const std::string& argument : arguments) {
    int idle = 0;
    if (!absl::SimpleAtoi(argument, &idle) || idle < 0) {
      std::fprintf(stderr, "idle_clients_bench: '%s' is not a number of clients\n", argument.c_str());
      return 2;
    }
    const absl::StatusOr<Result> result = Run(idle, tls);
    if (!result.ok()) {
      std::fprintf(stderr, "idle_clients_bench: %d: %s\n", idle, result.status().ToString().c_str());
      return 1;
    }
    PrintRow(idle, *result);
  }
  return 0;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;  // for this process and its children
    setrlimit(RLIMIT_NOFILE, &files);
  }
  int share = 0;
  if (arguments.size() == 5 && arguments[0] == "--idle" && absl::SimpleAtoi(arguments[3], &share)) {
    thinwire::RunIdleClients(arguments[1], arguments[2], share, arguments[4]);
  }
  return thinwire::Main(arguments);
}
