#include "server/daemon/daemon.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "server/daemon/exit_events.h"
#include "server/service/federation_server.h"
#include "server/service/state_directory.h"

namespace thinwire {
namespace {

// With --exit-when-done: how long clients that have not heard of the end are waited for.
constexpr absl::Duration kFarewell = absl::Seconds(15);

absl::Status WriteEndpoints(const ServerConfig& config, const ServerEndpoints& endpoints) {
  const nlohmann::json json = {{"federation", endpoints.federation},
                               {"control", endpoints.control},
                               {"http", endpoints.http},
                               {"pid", ::getpid()}};
  return WriteFileAtomically(EndpointsPath(config), json.dump(2) + "\n");
}

int Fail(int code, const absl::Status& status) {
  spdlog::critical("cannot start error=\"{}\"", std::string(status.message()));
  return code;
}

absl::Status Override(const std::string& flag, const std::string& value, std::string* address) {
  if (value.empty()) return absl::OkStatus();
  const absl::Status status = ParseHostPort(value).status();
  if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
  *address = value;
  return absl::OkStatus();
}

// Until there is a reason to leave; returns the exit code.
int WaitForEnd(ExitEvents* events, bool exit_when_done) {
  Monotonic leave_at = absl::InfiniteDuration();
  for (;;) {
    const Monotonic now = Clock::System()->Now();
    const ExitEvents::State state = events->Wait(leave_at - now);
    if (!state.broken.ok()) return kExitState;
    const bool failed = state.finished == RunState::kFailed;
    if (state.signal.has_value()) {
      spdlog::info("stopping signal={}", *state.signal);
      return failed ? kExitRunFailed : kExitOk;
    }
    if (!exit_when_done || !state.finished.has_value()) continue;
    if (leave_at == absl::InfiniteDuration()) leave_at = Clock::System()->Now() + kFarewell;
    if (state.everybody_told || Clock::System()->Now() >= leave_at) return failed ? kExitRunFailed : kExitOk;
  }
}

}  // namespace

absl::StatusOr<ServerConfig> EffectiveConfiguration(const CommandLine& flags) {
  TW_ASSIGN_OR_RETURN(ServerConfig config, LoadConfig(flags.config, {flags.insecure}));
  if (!flags.state_dir.empty()) config.proto.mutable_storage()->set_directory(flags.state_dir);
  v1::ListenConfig* const listen = config.proto.mutable_listen();
  TW_RETURN_IF_ERROR(Override("--listen-federation", flags.listen_federation, listen->mutable_federation()));
  TW_RETURN_IF_ERROR(Override("--listen-control", flags.listen_control, listen->mutable_control()));
  TW_RETURN_IF_ERROR(Override("--listen-http", flags.listen_http, listen->mutable_http()));
  return config;
}

int RunDaemon(const CommandLine& flags, const ServerConfig& config) {
  ExitEvents events;  // before any thread is started
  spdlog::info("configuration file={} effective=\n{}", flags.config, EffectiveConfig(config));
  absl::StatusOr<StateDirectory> state = OpenStateDirectory(config, Clock::System());
  if (absl::IsInvalidArgument(state.status())) return Fail(kExitUsage, state.status());
  if (!state.ok()) return Fail(kExitState, state.status());

  ServerOptions options;
  options.config = config;
  options.observer.broken = [&events](const absl::Status& broken) { events.Broken(broken); };
  options.observer.finished = [&events](RunState run) { events.RunFinished(run); };
  options.observer.everybody_told = [&events] { events.EverybodyTold(); };
  absl::StatusOr<std::unique_ptr<FederationServer>> server = FederationServer::Start(options, *std::move(state));
  if (!server.ok()) return Fail(kExitUsage, server.status());
  const ServerEndpoints& endpoints = (*server)->endpoints();
  spdlog::info("listening federation={} control={} http={}", endpoints.federation, endpoints.control, endpoints.http);
  const absl::Status status = WriteEndpoints(config, endpoints);
  if (!status.ok()) return Fail(kExitState, status);

  const int code = WaitForEnd(&events, flags.exit_when_done);
  (*server)->Shutdown();
  spdlog::info("stopped exit_code={}", code);
  return code;
}

}  // namespace thinwire
