#include "deploy/local/local_federation.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "deploy/local/run_config.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

constexpr int kLogLines = 15;
constexpr absl::Duration kServerStart = absl::Seconds(60);
constexpr absl::Duration kLook = absl::Milliseconds(20);  // between looks for the server's ports, at start only

std::string Ended(const ChildProcess& process, const ProcessExit& exit) {
  return absl::StrCat(process.name(), " ", exit.Describe(), "; the end of ", process.log_path(), ":\n",
                      FileTail(process.log_path(), kLogLines));
}

}  // namespace

absl::StatusOr<Endpoints> ParseEndpoints(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  for (const char* key : {"federation", "control"}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat("endpoints.json has no string '", key, "': ", text.substr(0, 200)));
    }
  }
  return Endpoints{json["federation"], json["control"]};
}

absl::StatusOr<std::unique_ptr<LocalFederation>> LocalFederation::Start(const DemoOptions& options,
                                                                        const std::string& programs,
                                                                        const std::string& work) {
  std::unique_ptr<LocalFederation> federation(new LocalFederation(options, programs, work));
  TW_RETURN_IF_ERROR(federation->StartServer());
  TW_RETURN_IF_ERROR(federation->StartClients());
  return federation;
}

absl::StatusOr<LocalFederation::Member> LocalFederation::Spawn(const std::string& name,
                                                               const std::vector<std::string>& command) const {
  // One thread each: the processes are the parallelism, and results do not depend on the number of cores.
  TW_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start({name,
                                                                 command,
                                                                 {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"},
                                                                 JoinPath(JoinPath(work_, "logs"), name + ".log")}));
  return Member{std::move(process), std::nullopt};
}

absl::Status LocalFederation::StartServer() {
  const std::string state = JoinPath(work_, "state");
  const std::string config = JoinPath(work_, "server.textproto");
  TW_RETURN_IF_ERROR(MakeDirectories(state));
  TW_RETURN_IF_ERROR(MakeDirectories(JoinPath(work_, "logs")));
  TW_ASSIGN_OR_RETURN(const std::string text, RunConfigText(options_, state));
  TW_RETURN_IF_ERROR(WriteFileAtomically(config, text));
  TW_ASSIGN_OR_RETURN(Member server, Spawn("server", {JoinPath(programs_, "thinwire-server"), "--config", config}));
  server_.push_back(std::move(server));
  TW_ASSIGN_OR_RETURN(endpoints_, AwaitEndpoints(JoinPath(state, "endpoints.json")));
  TW_ASSIGN_OR_RETURN(trainer_proxy_, TcpProxy::Start(endpoints_.federation));
  TW_ASSIGN_OR_RETURN(evaluator_proxy_, TcpProxy::Start(endpoints_.federation));
  return absl::OkStatus();
}

absl::StatusOr<Endpoints> LocalFederation::AwaitEndpoints(const std::string& path) {
  constexpr uint64_t kMaxSize = 1 << 16;
  const Monotonic deadline = Clock::System()->Now() + kServerStart;
  while (!FileExists(path)) {
    server_[0].exit = server_[0].process.Wait(kLook);
    TW_RETURN_IF_ERROR(CheckProcesses());
    if (Clock::System()->Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("the server has not written ", path, " within ",
                                                      absl::FormatDuration(kServerStart), "; the end of its log:\n",
                                                      FileTail(server_[0].process.log_path(), kLogLines)));
    }
  }
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxSize));
  const absl::StatusOr<Endpoints> endpoints = ParseEndpoints(text);
  return endpoints.ok() ? endpoints : absl::InternalError(endpoints.status().message());
}

absl::Status LocalFederation::StartClients() {
  for (uint32_t i = 0; i < options_.clients; ++i) {
    TW_RETURN_IF_ERROR(StartClient(absl::StrCat("trainer-", i), *trainer_proxy_,
                                   {"--role", "trainer", "--augment", options_.augment, "--partition",
                                    options_.partition, "--shard", absl::StrCat(i, "/", options_.clients), "--samples",
                                    absl::StrCat(options_.samples), "--seed", absl::StrCat(options_.seed)}));
  }
  return StartClient("evaluator", *evaluator_proxy_, {"--role", "evaluator"});
}

absl::Status LocalFederation::StartClient(const std::string& name, const TcpProxy& proxy,
                                          const std::vector<std::string>& arguments) {
  const std::string state = JoinPath(JoinPath(work_, "clients"), name);
  TW_RETURN_IF_ERROR(MakeDirectories(state));
  std::vector<std::string> command = {JoinPath(programs_, "thinwire-client"),
                                      "--server",
                                      proxy.address(),
                                      "--client-id",
                                      name,
                                      "--task",
                                      "classify",
                                      "--model",
                                      options_.model,
                                      "--weights",
                                      options_.weights,
                                      "--data",
                                      options_.data,
                                      "--state",
                                      state,
                                      "--insecure"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  TW_ASSIGN_OR_RETURN(Member client, Spawn(name, command));
  clients_.push_back(std::move(client));
  return absl::OkStatus();
}

std::vector<int> LocalFederation::RunningFds() const {
  std::vector<int> fds;
  for (const std::vector<Member>* group : {&server_, &clients_}) {
    for (const Member& member : *group) {
      if (!member.exit) fds.push_back(member.process.fd());
    }
  }
  return fds;
}

absl::Status LocalFederation::CheckProcesses() {
  for (Member& client : clients_) {
    if (!client.exit) client.exit = client.process.Wait(absl::ZeroDuration());
    if (client.exit && !client.exit->ok()) return absl::AbortedError(Ended(client.process, *client.exit));
  }
  for (Member& server : server_) {
    if (!server.exit) server.exit = server.process.Wait(absl::ZeroDuration());
    if (server.exit) return absl::AbortedError(Ended(server.process, *server.exit));
  }
  return absl::OkStatus();
}

std::string LocalFederation::FinishedClient() const {
  for (const Member& client : clients_) {
    if (client.exit && client.exit->ok()) return client.process.name();
  }
  return "";
}

void LocalFederation::StopClients(absl::Duration grace) {
  const Monotonic deadline = Clock::System()->Now() + grace;
  for (Member& client : clients_) {
    client.exit = client.process.Wait(std::max(deadline - Clock::System()->Now(), absl::ZeroDuration()));
  }
  for (const Member& client : clients_) client.process.Signal(SIGTERM);
  for (Member& client : clients_) client.exit = client.process.Stop(absl::Seconds(5));
}

void LocalFederation::StopServer(absl::Duration grace) {
  for (Member& server : server_) server.exit = server.process.Stop(grace);
}

ProcessUsage LocalFederation::server_usage() const {
  if (server_.empty() || !server_[0].exit) return {};
  return {server_[0].exit->cpu_seconds, server_[0].exit->peak_rss_bytes};
}

ProcessUsage LocalFederation::client_usage() const {
  ProcessUsage usage;
  for (const Member& client : clients_) {
    if (!client.exit) continue;
    usage.cpu_seconds += client.exit->cpu_seconds;
    usage.peak_rss_bytes = std::max(usage.peak_rss_bytes, client.exit->peak_rss_bytes);
  }
  return usage;
}

}  // namespace thinwire
