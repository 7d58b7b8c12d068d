#include "tests/testing/cluster.h"

#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"

namespace thinwire {
namespace {

const std::vector<std::string> kOneThread = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1"};

void SetDeadline(grpc::ClientContext* context, absl::Duration timeout) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
}

}  // namespace

void Cluster::UseTls(std::string security, TlsFiles own) {
  security_ = std::move(security);
  own_ = std::move(own);
}

absl::Status Cluster::StartServer(const std::string& config, const std::vector<std::string>& flags) {
  TW_RETURN_IF_ERROR(LaunchServer(config, flags));
  return AwaitServer();
}

absl::Status Cluster::LaunchServer(const std::string& config, const std::vector<std::string>& flags) {
  TW_RETURN_IF_ERROR(MakeDirectories(state()));
  const std::string endpoints = JoinPath(state(), "endpoints.json");
  if (FileExists(endpoints)) TW_RETURN_IF_ERROR(RemoveFile(endpoints));
  TW_RETURN_IF_ERROR(WriteFileAtomically(
      Path("server.textproto"),
      absl::StrCat(config, "\nstorage { directory: \"", state(), "\" }\n",
                   "listen { federation: \"127.0.0.1:0\" control: \"127.0.0.1:0\" http: \"127.0.0.1:0\" }\n",
                   security_)));
  ProcessSpec spec{"server", wrapper_, {}, Path("server.log")};
  for (const std::string& word : {JoinPath(bin_, "thinwire-server"), std::string("--config"), Path("server.textproto")})
    spec.command.push_back(word);
  spec.command.insert(spec.command.end(), flags.begin(), flags.end());
  server_.reset();
  if (logs_.empty()) logs_.push_back(spec.log_path);
  TW_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start(spec));
  server_.emplace(std::move(process));
  return absl::OkStatus();
}

absl::Status Cluster::AwaitServer(absl::Duration timeout) {
  const std::string path = JoinPath(state(), "endpoints.json");
  const Monotonic give_up = Clock::System()->Now() + timeout;
  while (!FileExists(path)) {
    if (server_->Wait(absl::Milliseconds(5)).has_value()) {
      return absl::InternalError(absl::StrCat("server ended at its start\n", Logs()));
    }
    if (Clock::System()->Now() > give_up) return absl::DeadlineExceededError(absl::StrCat("no endpoints\n", Logs()));
  }
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, 1 << 16));
  const nlohmann::json endpoints = nlohmann::json::parse(text, nullptr, false);
  if (!endpoints.is_object()) return absl::InternalError(absl::StrCat("endpoints.json holds ", text));
  federation_ = endpoints.value("federation", "");
  http_ = endpoints.value("http", "");
  control_address_ = endpoints.value("control", "");
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                      ChannelCredentialsByFlags({own_.value_or(TlsFiles()), !own_.has_value()}, PeerRole::kOperator));
  control_ = v1::Control::NewStub(grpc::CreateChannel(control_address_, credentials));
  if (proxy_ != nullptr) return proxy_->SetUpstream(federation_);
  TW_ASSIGN_OR_RETURN(proxy_, TcpProxy::Start(federation_));
  return absl::OkStatus();
}

ProcessExit Cluster::KillServer() {
  server_->Signal(SIGKILL);
  return *server_->Wait(absl::InfiniteDuration());
}

ProcessExit Cluster::StopServer() { return server_->Stop(absl::Seconds(20)); }

absl::StatusOr<size_t> Cluster::StartClient(const std::string& id, const std::vector<std::string>& flags) {
  ProcessSpec spec{id,
                   {JoinPath(bin_, "thinwire-client"), "--server", direct_ ? federation_ : proxy_->address(), "--state",
                    Path(id), "--client-id", id},
                   kOneThread,
                   Path(absl::StrCat(id, ".log"))};
  if (!own_.has_value()) spec.command.push_back("--insecure");
  spec.command.insert(spec.command.end(), flags.begin(), flags.end());
  logs_.push_back(spec.log_path);
  TW_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start(spec));
  clients_.push_back(std::make_unique<ChildProcess>(std::move(process)));
  client_specs_.push_back(std::move(spec));
  return clients_.size() - 1;
}

absl::Status Cluster::RestartClient(size_t index) {
  KillClient(index);
  TW_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Start(client_specs_[index]));
  clients_[index] = std::make_unique<ChildProcess>(std::move(process));
  return absl::OkStatus();
}

void Cluster::KillClient(size_t index) {
  clients_[index]->Signal(SIGKILL);
  clients_[index]->Wait(absl::InfiniteDuration());
}

absl::Status Cluster::AwaitClients(absl::Duration timeout) {
  const Monotonic give_up = Clock::System()->Now() + timeout;
  for (const auto& process : clients_) {
    const std::optional<ProcessExit> exit = process->Wait(give_up - Clock::System()->Now());
    if (!exit.has_value()) {
      return absl::DeadlineExceededError(absl::StrCat(process->name(), " still runs\n", Logs()));
    }
    const bool killed = exit->signaled && exit->code == SIGKILL;  // by the test itself
    if (!exit->ok() && !killed) {
      return absl::InternalError(absl::StrCat(process->name(), " ", exit->Describe(), "\n", Logs()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Status> Cluster::Status() {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  v1::GetStatusResponse response;
  const grpc::Status status = control_->GetStatus(&context, {}, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response.status();
}

absl::StatusOr<v1::Status> Cluster::AwaitStatus(const std::function<bool(const v1::Status&)>& predicate,
                                                absl::Duration timeout) {
  grpc::ClientContext context;
  SetDeadline(&context, timeout);
  const auto reader = control_->WatchStatus(&context, {});
  v1::WatchStatusResponse response;
  v1::Status last;
  while (reader->Read(&response)) {
    last = response.status();
    if (!predicate(last)) continue;
    context.TryCancel();
    return last;
  }
  return absl::DeadlineExceededError(absl::StrCat("the awaited status did not come (", reader->Finish().error_message(),
                                                  "); last: ", last.ShortDebugString(), "\n", Logs()));
}

absl::StatusOr<v1::Status> Cluster::AwaitEnd(absl::Duration timeout) {
  return AwaitStatus(
      [](const v1::Status& status) {
        const bool exported = !status.model_path().empty();
        return status.state() == v1::RUN_STATE_COMPLETED ? exported : status.state() > v1::RUN_STATE_COMPLETED;
      },
      timeout);
}

absl::StatusOr<std::vector<v1::RoundSummary>> Cluster::Rounds() {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(20));
  v1::ListRoundsResponse response;
  const grpc::Status status = control_->ListRounds(&context, {}, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return std::vector<v1::RoundSummary>(response.rounds().begin(), response.rounds().end());
}

std::string Cluster::LogOf(const std::string& id) const {
  constexpr uint64_t kMaxLog = uint64_t{1} << 30;
  return ReadWholeFile(Path(absl::StrCat(id, ".log")), kMaxLog).value_or("");
}

std::string Cluster::Logs() const {
  std::string text;
  for (const std::string& log : logs_) absl::StrAppend(&text, log, ":\n", FileTail(log, 15), "\n");
  return text;
}

}  // namespace thinwire
