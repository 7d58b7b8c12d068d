// From the start of a server on the state of a run until it serves: its ports answer, and the first bytes of the newest
// version arrive. One update of the open round lies in the spool and is folded again behind that.
//
//   restart_bench [PARAMETERS[:PLAN]] [STARTS]      PLAN is fp32 (default) or s1e3m7; default 100000000:fp32 3
//
// The server is killed between the starts. Its files are in the page cache, as after a crash of the process; the last
// column says what a cold disk would have to read first.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "server/store/journal.h"
#include "tests/integration/raw_client.h"
#include "tests/testing/cluster.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

struct Case {
  uint64_t parameters = 100'000'000;
  std::string plan = "fp32";
  int starts = 3;
};

struct Start {
  absl::Duration listens;   // its addresses are there
  absl::Duration serves;    // the first bytes of the newest version have come
  absl::Duration folded;    // the spooled update is in the sum again
  uint64_t read_bytes = 0;  // by the server, until it served, from disk or page cache
};

absl::StatusOr<Case> ParseCase(const std::vector<std::string>& arguments) {
  Case parsed;
  const std::vector<std::string> parts = absl::StrSplit(arguments.empty() ? "100000000" : arguments[0], ':');
  if (parts.size() == 2) parsed.plan = parts[1];
  const bool good = parts.size() <= 2 && absl::SimpleAtoi(parts[0], &parsed.parameters) && arguments.size() <= 2 &&
                    (parsed.plan == "fp32" || parsed.plan == "s1e3m7") &&
                    (arguments.size() < 2 || absl::SimpleAtoi(arguments[1], &parsed.starts)) && parsed.starts > 0;
  if (good) return parsed;
  return absl::InvalidArgumentError("usage: restart_bench [PARAMETERS[:fp32|s1e3m7]] [STARTS], e.g. 100000000:fp32 3");
}

std::string ConfigOf(const Case& c) {
  return absl::StrCat(
      "run { rounds: 100 seed: 11 }\nmodel { from_client_seed: 5 }\nround { clients: 2 deadline { seconds: "
      "3600 } }\ntraining { learning_rate: 0.001 }\naggregation { max_update_norm: 4096 }\nclient { lease { "
      "seconds: 600 } }\nplan { preset: PLAN_PRESET_",
      absl::AsciiStrToUpper(c.plan), " }\n");
}

// One round published, one update of the next in the spool, the other client gone, the server killed.
absl::StatusOr<PayloadRef> MakeState(const Case& c, const std::string& config, Cluster* cluster) {
  cluster->DialDirectly();
  TW_RETURN_IF_ERROR(cluster->StartServer(config));
  const std::vector<std::string> flags = {"--task=echo", absl::StrCat("--echo-parameters=", c.parameters)};
  TW_RETURN_IF_ERROR(cluster->StartClient("stays", flags).status());
  TW_RETURN_IF_ERROR(cluster->StartClient("goes", flags).status());
  const auto training = [](uint32_t round) {
    return [round](const v1::Status& now) {
      return now.round() == round && now.round_state() == v1::ROUND_STATE_TRAINING;
    };
  };
  TW_RETURN_IF_ERROR(cluster->AwaitStatus(training(2), absl::Minutes(8)).status());
  cluster->KillClient(1);
  TW_RETURN_IF_ERROR(
      cluster->AwaitStatus([](const v1::Status& now) { return now.counters().folded() == 1; }, absl::Minutes(5))
          .status());
  cluster->KillServer();
  cluster->KillClient(0);
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(cluster->state() + "/journal.db"));
  TW_ASSIGN_OR_RETURN(const std::optional<VersionRow> newest, journal->LatestVersion());
  if (!newest.has_value()) return absl::InternalError("the run has published nothing");
  return newest->downlink;
}

uint64_t BytesRead(pid_t pid) {
  std::ifstream io(absl::StrCat("/proc/", pid, "/io"));
  for (std::string line; std::getline(io, line);) {
    unsigned long bytes = 0;
    if (std::sscanf(line.c_str(), "rchar: %lu", &bytes) == 1) return bytes;
  }
  return 0;
}

absl::StatusOr<Start> MeasureStart(const std::string& config, const PayloadRef& newest, Cluster* cluster) {
  Start start;
  const Monotonic begin = Clock::System()->Now();
  TW_RETURN_IF_ERROR(cluster->LaunchServer(config));
  TW_RETURN_IF_ERROR(cluster->AwaitServer(absl::Minutes(5)));
  start.listens = Clock::System()->Now() - begin;
  RawClient client(cluster->federation_address(), "reader");
  TW_RETURN_IF_ERROR(client.Join(nullptr).status());
  TW_ASSIGN_OR_RETURN(const std::string bytes, client.DownloadBeginning(newest));
  start.serves = Clock::System()->Now() - begin;
  start.read_bytes = BytesRead(cluster->server().pid());
  TW_RETURN_IF_ERROR(
      cluster->AwaitStatus([](const v1::Status& now) { return now.counters().folded() == 1; }, absl::Minutes(5))
          .status());
  start.folded = Clock::System()->Now() - begin;
  cluster->KillServer();
  return start;
}

absl::Status Run(const Case& c) {
  const TemporaryDirectory folder;
  Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
  const std::string config = ConfigOf(c);
  TW_ASSIGN_OR_RETURN(const PayloadRef newest, MakeState(c, config, &cluster));
  std::printf(
      "%lu parameters, %s\n| start | listens, s | first bytes, s | spooled update folded, s | read until then, MB "
      "|\n| --- | --- | --- | --- | --- |\n",
      c.parameters, c.plan.c_str());
  for (int i = 1; i <= c.starts; ++i) {
    TW_ASSIGN_OR_RETURN(const Start start, MeasureStart(config, newest, &cluster));
    std::printf("| %d | %.3f | %.3f | %.2f | %.0f |\n", i, absl::ToDoubleSeconds(start.listens),
                absl::ToDoubleSeconds(start.serves), absl::ToDoubleSeconds(start.folded),
                static_cast<double>(start.read_bytes) / 1e6);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  const absl::StatusOr<thinwire::Case> parsed = thinwire::ParseCase(std::vector<std::string>(argv + 1, argv + argc));
  const absl::Status status = parsed.ok() ? thinwire::Run(*parsed) : parsed.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "restart_bench: %s\n", std::string(status.message()).c_str());
  return parsed.ok() ? 1 : 2;
}
