#include "tests/bench/soak/soak_federation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "server/store/fail_point.h"

namespace thinwire {
namespace {

constexpr uint64_t kLongestLifeMs = 400;   // of a server, from its exec to its kill
constexpr uint64_t kLongestPauseMs = 500;  // between two kills of clients
constexpr uint64_t kMostPassages = 12;     // of a fail-point before it kills
constexpr absl::Duration kProgress = absl::Seconds(60);

std::string ConfigOf(const SoakOptions& options, uint32_t rounds) {
  return absl::StrCat("run { rounds: ", rounds, " seed: ", options.seed,
                      " }\nmodel { from_client_seed: 5 }\nround { clients: ", options.clients,
                      " deadline { seconds: 3600 } }\ntraining { learning_rate: 0.01 }\naggregation { fed_avg_m {} }\n",
                      "client { heartbeat_interval { seconds: 1 } lease { seconds: 600 } retry_min { nanos: 5000000 } "
                      "retry_max { nanos: 40000000 } }\nplan { preset: PLAN_PRESET_S1E3M7 }\n");
}

bool Killed(const std::optional<ProcessExit>& exit) { return exit.has_value() && exit->signaled && exit->code == 9; }

}  // namespace

SoakFederation::SoakFederation(SoakOptions options, const std::string& folder)
    : options_(options), cluster_(folder, THINWIRE_BINARY_DIR "/bin") {}

uint64_t SoakFederation::Draw(const char* what, uint64_t below) {
  return DeriveKey({options_.seed, KeyWord(what), draws_++}) % below;
}

absl::Status SoakFederation::Start(uint32_t rounds) {
  config_ = ConfigOf(options_, rounds);
  TW_RETURN_IF_ERROR(cluster_.StartServer(config_));
  for (int i = 0; i < options_.clients; ++i) {
    TW_RETURN_IF_ERROR(
        cluster_
            .StartClient(absl::StrCat("c", i), {"--task=echo", absl::StrCat("--echo-parameters=", options_.parameters)})
            .status());
  }
  return AwaitProgress();
}

absl::Status SoakFederation::KillServers(const std::function<void(uint32_t)>& told) {
  cluster_.KillServer();
  for (uint32_t kill = 1; kill <= options_.server_kills; ++kill) {
    TW_RETURN_IF_ERROR(KillServerOnce());
    TW_RETURN_IF_ERROR(CheckClientsRun());
    told(kill);
  }
  TW_RETURN_IF_ERROR(cluster_.StartServer(config_));
  return AwaitProgress();
}

// A server that dies is one that was killed: anything else is what this program looks for.
absl::Status SoakFederation::KillServerOnce() {
  const std::vector<std::string> points = FailPointNames();
  const bool by_name = Draw("by name", 2) == 0;
  std::vector<std::string> flags;
  if (by_name) {
    flags.push_back(
        absl::StrCat("--fail-point=", points[Draw("point", points.size())], ":", 1 + Draw("passage", kMostPassages)));
  }
  const Monotonic end = Clock::System()->Now() + absl::Milliseconds(Draw("life", kLongestLifeMs));
  TW_RETURN_IF_ERROR(cluster_.LaunchServer(config_, flags));
  std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Milliseconds(Draw("start", 30)));
  bool served = false;
  if (!exit.has_value() && Clock::System()->Now() < end) {
    served = cluster_.AwaitServer().ok();
    exit = cluster_.server().Wait(std::max(end - Clock::System()->Now(), absl::ZeroDuration()));
  }
  if (exit.has_value()) {
    if (!by_name || !Killed(exit)) {
      return absl::InternalError(absl::StrCat("the server ", exit->Describe(), " by itself\n", cluster_.Logs()));
    }
    ++counts_.at_fail_point;
    return absl::OkStatus();
  }
  if (!Killed(cluster_.KillServer())) return absl::InternalError("the server did not die of its kill");
  ++(served ? counts_.serving : counts_.starting);
  return absl::OkStatus();
}

absl::Status SoakFederation::KillClients(const std::function<void(uint32_t)>& told) {
  for (uint32_t kill = 1; kill <= options_.client_kills; ++kill) {
    const auto pause = absl::Milliseconds(Draw("pause", kLongestPauseMs));
    if (cluster_.server().Wait(pause).has_value()) {
      return absl::InternalError(absl::StrCat("the server has ended by itself\n", cluster_.Logs()));
    }
    TW_RETURN_IF_ERROR(CheckClientsRun());
    TW_RETURN_IF_ERROR(cluster_.RestartClient(Draw("client", static_cast<uint64_t>(options_.clients))));
    ++counts_.clients;
    told(kill);
  }
  return AwaitProgress();
}

absl::Status SoakFederation::CheckClientsRun() {
  for (int i = 0; i < options_.clients; ++i) {
    const std::optional<ProcessExit> exit = cluster_.client(static_cast<size_t>(i)).Wait(absl::ZeroDuration());
    if (exit.has_value()) {
      return absl::InternalError(absl::StrCat("client ", i, " ", exit->Describe(), " by itself\n", cluster_.Logs()));
    }
  }
  return absl::OkStatus();
}

absl::Status SoakFederation::AwaitProgress() {
  std::optional<uint64_t> first;
  return cluster_
      .AwaitStatus(
          [&](const v1::Status& status) {
            if (status.state() == v1::RUN_STATE_INITIALIZING) return false;
            if (!first.has_value()) first = status.version();
            return status.version() > *first || status.state() >= v1::RUN_STATE_EVALUATING;
          },
          kProgress)
      .status();
}

uint64_t SoakFederation::version() {
  const absl::StatusOr<v1::Status> status = cluster_.Status();
  return status.ok() ? status->version() : 0;
}

absl::StatusOr<std::string> SoakFederation::StopRun() {
  grpc::ClientContext context;
  v1::StopRunResponse response;
  const grpc::Status stopped = cluster_.control().StopRun(&context, {}, &response);
  if (!stopped.ok()) return absl::InternalError(absl::StrCat("StopRun: ", stopped.error_message()));
  TW_ASSIGN_OR_RETURN(const v1::Status status, cluster_.AwaitStatus([](const v1::Status& now) {
    return now.state() == v1::RUN_STATE_STOPPED && !now.model_path().empty();
  }));
  return EndProcesses(status);
}

absl::StatusOr<std::string> SoakFederation::AwaitRounds() {
  TW_ASSIGN_OR_RETURN(const v1::Status status, cluster_.AwaitEnd(absl::Hours(2)));
  return EndProcesses(status);
}

absl::StatusOr<std::string> SoakFederation::EndProcesses(const v1::Status& status) {
  TW_RETURN_IF_ERROR(cluster_.AwaitClients(absl::Seconds(60)));
  const ProcessExit exit = cluster_.StopServer();
  if (!exit.ok()) return absl::InternalError(absl::StrCat("the server ", exit.Describe(), "\n", cluster_.Logs()));
  return status.model_path();
}

std::vector<std::string> SoakFederation::Receipts() const {
  constexpr char kMark[] = "receipt assignment=";
  std::vector<std::string> receipts;
  for (int i = 0; i < options_.clients; ++i) {
    for (const std::string& line :
         std::vector<std::string>(absl::StrSplit(cluster_.LogOf(absl::StrCat("c", i)), '\n'))) {
      const size_t at = line.find(kMark);
      const size_t state = line.find(" state=", at == std::string::npos ? 0 : at);
      if (at == std::string::npos || state == std::string::npos) continue;
      const size_t id = at + sizeof(kMark) - 1;
      receipts.push_back(absl::StrCat(line.substr(id, state - id), " ", line.substr(state + 7)));
    }
  }
  return receipts;
}

}  // namespace thinwire
