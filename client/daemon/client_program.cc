#include "client/daemon/client_program.h"

#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/daemon/client_log.h"
#include "client/daemon/echo_task.h"
#include "client/daemon/stop_signals.h"
#include "client/rpc/channel.h"
#include "client/rpc/grpc_federation_api.h"
#include "client/session/client_session.h"
#include "client/session/session_progress.h"
#include "common/base/link_rate.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/float_environment.h"
#include "common/rpc/credentials.h"

namespace thinwire {
namespace {

SessionOptions MakeOptions(const ClientFlags& flags, const std::string& client_id) {
  SessionOptions options;
  options.role = flags.role == "evaluator" ? ClientRole::kEvaluator : ClientRole::kTrainer;
  options.server = flags.server;
  options.max_rounds = flags.max_rounds;
  options.uplink_bits_per_second = flags.uplink.empty() ? 0 : ParseLinkRate(flags.uplink).value();
  options.max_failures = static_cast<uint32_t>(flags.max_failures);
  options.retry_seed = DeriveKey({KeyWord("retry"), KeyWord(client_id)});
  return options;
}

// The name in the certificate, which the server holds the client to; in plaintext what the flag says, if anything.
absl::StatusOr<std::string> ClientId(const ClientFlags& flags) {
  if (flags.insecure) return flags.client_id;
  TW_ASSIGN_OR_RETURN(const CertificateInfo info,
                      CheckTlsFiles(SecurityOf(flags).files, PeerRole::kClient, absl::Now()));
  if (flags.client_id.empty() || flags.client_id == info.name) return info.name;
  return absl::InvalidArgumentError(absl::StrCat("--client-id is '", flags.client_id, "', and ", flags.cert,
                                                 " is the certificate of '", info.name, "'; leave --client-id out"));
}

ClientExit ExitFor(const SessionSummary& summary) {
  switch (summary.end) {
    case SessionEnd::kRunCompleted:
    case SessionEnd::kStopped:
      return ClientExit::kOk;
    case SessionEnd::kRoundsDone:
      return summary.delivered > 0 ? ClientExit::kOk : ClientExit::kGaveUp;
    case SessionEnd::kRunFailed:
      return ClientExit::kRunFailed;
    case SessionEnd::kRefused:
      return ClientExit::kRefused;
    case SessionEnd::kGaveUp:
      return ClientExit::kGaveUp;
  }
  return ClientExit::kOk;
}

ClientExit RunSession(const ClientFlags& flags, const StateFolder& state, Trainer* trainer, ChannelFactory channels) {
  GrpcFederationApi api(std::move(channels), state.client_id());
  RealSleeper sleeper, heartbeat_sleeper;
  LoggingObserver observer;
  ClientSession session(MakeOptions(flags, state.client_id()),
                        {&api, trainer, &state, Clock::System(), &sleeper, &heartbeat_sleeper, &observer});
  const StopSignals signals([&session] {
    spdlog::info("stopping on a signal; a second one ends at once");
    session.RequestStop();
  });
  spdlog::info("start client={} server={} role={} task={} state={} examples={}", state.client_id(), flags.server,
               flags.role, flags.task, state.path(), trainer->examples());
  const SessionSummary summary = session.Run();
  const ClientExit code = ExitFor(summary);
  spdlog::log(code == ClientExit::kOk ? spdlog::level::info : spdlog::level::err,
              "end reason=\"{}\" delivered={} failed={} down=\"{}\" up=\"{}\" down_bytes={} up_bytes={} exit={}",
              summary.reason, summary.delivered, summary.failed, DescribeBytes(summary.bytes_down),
              DescribeBytes(summary.bytes_up), summary.bytes_down, summary.bytes_up, static_cast<int>(code));
  return code;
}

const ClientTask& TaskOf(const ClientFlags& flags, const std::vector<ClientTask>& tasks) {
  return *std::find_if(tasks.begin(), tasks.end(), [&](const ClientTask& task) { return task.name == flags.task; });
}

absl::StatusOr<ChannelFactory> ChannelsFor(const ClientFlags& flags) {
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                      ChannelCredentialsByFlags(SecurityOf(flags), PeerRole::kClient));
  return ChannelsTo(flags.server, credentials);
}

// Everything that can be wrong with flags, files and data, then the session; its exit code, or why there was none.
absl::StatusOr<ClientExit> Participate(const ClientFlags& flags, const ClientTask& task, ClientExit* refused) {
  TW_RETURN_IF_ERROR(CheckFloatEnvironment());
  TW_ASSIGN_OR_RETURN(const std::string id, ClientId(flags));
  TW_ASSIGN_OR_RETURN(ChannelFactory channels, ChannelsFor(flags));
  *refused = ClientExit::kState;
  TW_ASSIGN_OR_RETURN(const StateFolder state, StateFolder::Open(flags.state, id));
  *refused = ClientExit::kUsage;
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, task.make_trainer(flags));
  return RunSession(flags, state, trainer.get(), std::move(channels));
}

}  // namespace

int RunClientProgram(const std::vector<std::string>& arguments, ClientProgram program) {
  signal(SIGPIPE, SIG_IGN);
  BlockStopSignals();
  program.tasks.push_back(EchoTask());
  const auto complain = [&program](const absl::Status& status, ClientExit code) {
    std::cerr << program.name << ": " << status.message() << "\n";
    return static_cast<int>(code);
  };
  const std::string help = ClientHelp(program.name, program.tasks);  // before reading changes the defaults
  const absl::StatusOr<ClientFlags> flags = ParseClientFlags(arguments, program.tasks);
  if (!flags.ok()) return complain(flags.status(), ClientExit::kUsage);
  if (flags->help || flags->version) {
    std::cout << (flags->help ? help : program.name + " " THINWIRE_VERSION "\n");
    return 0;
  }
  SetUpClientLog(flags->log_level);
  ClientExit refused = ClientExit::kUsage;
  const absl::StatusOr<ClientExit> code = Participate(*flags, TaskOf(*flags, program.tasks), &refused);
  return code.ok() ? static_cast<int>(*code) : complain(code.status(), refused);
}

}  // namespace thinwire
