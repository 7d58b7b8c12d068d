#include "client/daemon/client_program.h"

#include <signal.h>
#include <spdlog/spdlog.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/daemon/client_log.h"
#include "client/daemon/stop_signals.h"
#include "client/rpc/channel.h"
#include "client/rpc/grpc_federation_api.h"
#include "client/session/client_session.h"
#include "client/session/session_progress.h"
#include "client/train/echo_trainer.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/float_environment.h"

namespace thinwire {
namespace {

int Complain(const absl::Status& status, ClientExit code) {
  std::cerr << "thinwire-client: " << status.message() << "\n";
  return static_cast<int>(code);
}

// With a number of parameters the trainer proposes a model of that size, else it takes whatever the run has.
absl::StatusOr<std::unique_ptr<Trainer>> MakeEcho(const ClientFlags& flags) {
  EchoOptions options;
  options.examples = flags.echo_examples;
  if (flags.echo_parameters == 0) return MakeEchoTrainer(options);
  options.parameters = flags.echo_parameters;
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> any, MakeEchoTrainer(options));
  TW_ASSIGN_OR_RETURN(const ModelState fresh, any->Initialize(0));
  options.spec = fresh.spec;
  return MakeEchoTrainer(options);
}

SessionOptions MakeOptions(const ClientFlags& flags, const std::string& client_id) {
  SessionOptions options;
  options.role = flags.role == "evaluator" ? ClientRole::kEvaluator : ClientRole::kTrainer;
  options.server = flags.server;
  options.max_rounds = flags.max_rounds;
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
              "end reason=\"{}\" delivered={} failed={} down=\"{}\" up=\"{}\" exit={}", summary.reason,
              summary.delivered, summary.failed, DescribeBytes(summary.bytes_down), DescribeBytes(summary.bytes_up),
              static_cast<int>(code));
  return code;
}

}  // namespace

int RunClientProgram(const std::vector<std::string>& arguments, const ClassifierFactory& make_classifier) {
  signal(SIGPIPE, SIG_IGN);
  BlockStopSignals();
  const absl::StatusOr<ClientFlags> flags = ParseClientFlags(arguments);
  if (!flags.ok()) return Complain(flags.status(), ClientExit::kUsage);
  if (flags->help || flags->version) {
    std::cout << (flags->help ? ClientHelp() : "thinwire-client " THINWIRE_VERSION "\n");
    return 0;
  }
  const absl::Status floats = CheckFloatEnvironment();
  if (!floats.ok()) return Complain(floats, ClientExit::kUsage);
  const absl::StatusOr<std::string> id = ClientId(*flags);
  if (!id.ok()) return Complain(id.status(), ClientExit::kUsage);
  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      ChannelCredentialsByFlags(SecurityOf(*flags), PeerRole::kClient);
  if (!credentials.ok()) return Complain(credentials.status(), ClientExit::kUsage);
  absl::StatusOr<ChannelFactory> channels = ChannelsTo(flags->server, *credentials);
  if (!channels.ok()) return Complain(channels.status(), ClientExit::kUsage);
  SetUpClientLog(flags->log_level);
  const absl::StatusOr<StateFolder> state = StateFolder::Open(flags->state, *id);
  if (!state.ok()) return Complain(state.status(), ClientExit::kState);
  const absl::StatusOr<std::unique_ptr<Trainer>> trainer =
      flags->task == "echo" ? MakeEcho(*flags) : make_classifier(*flags);
  if (!trainer.ok()) return Complain(trainer.status(), ClientExit::kUsage);
  return static_cast<int>(RunSession(*flags, *state, trainer->get(), *std::move(channels)));
}

}  // namespace thinwire
