#include "client/cli/control_client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/credentials.h"
#include "common/rpc/grpc_status.h"

namespace thinwire {
namespace {

constexpr uint32_t kPage = 1000;  // rounds or clients that an answer holds at most

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

// So that a file's error is not taken for an answer of the server with the same code.
absl::Status OfFile(const absl::Status& status) {
  return status.ok() || absl::IsNotFound(status) ? status : absl::InternalError(status.message());
}

}  // namespace

bool IsFinal(v1::RunState state) {
  return state == v1::RUN_STATE_COMPLETED || state == v1::RUN_STATE_STOPPED || state == v1::RUN_STATE_FAILED;
}

ControlClient::ControlClient(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials)
    : address_(address), stub_(v1::Control::NewStub(Dial(address, credentials))) {}

absl::Status ControlClient::Explain(const absl::Status& status) const {
  if (status.code() != absl::StatusCode::kUnavailable && status.code() != absl::StatusCode::kDeadlineExceeded) {
    return status;
  }
  return absl::UnavailableError(absl::StrCat("no server answers at ", address_, " (",
                                             ExplainHandshake(status).message(),
                                             "); is it running, and is --server its control port?"));
}

template <typename Request, typename Response>
absl::StatusOr<Response> ControlClient::Call(Method<Request, Response> method, const Request& request) {
  grpc::ClientContext context;
  SetDeadline(&context);
  Response response;
  const absl::Status status = FromGrpcStatus((stub_.get()->*method)(&context, request, &response));
  if (!status.ok()) return Explain(status);
  return response;
}

absl::StatusOr<v1::Status> ControlClient::Status() {
  TW_ASSIGN_OR_RETURN(const v1::GetStatusResponse response, Call(&Stub::GetStatus, v1::GetStatusRequest()));
  return response.status();
}

absl::StatusOr<std::vector<v1::RoundSummary>> ControlClient::Rounds(uint32_t first) {
  std::vector<v1::RoundSummary> rounds;
  for (;;) {
    v1::ListRoundsRequest request;
    request.set_first_round(rounds.empty() ? first : rounds.back().round() + 1);
    request.set_max_rounds(kPage);
    TW_ASSIGN_OR_RETURN(const v1::ListRoundsResponse response, Call(&Stub::ListRounds, request));
    rounds.insert(rounds.end(), response.rounds().begin(), response.rounds().end());
    if (response.rounds_size() < static_cast<int>(kPage)) return rounds;
  }
}

absl::StatusOr<std::vector<v1::ClientSummary>> ControlClient::Clients() {
  std::vector<v1::ClientSummary> clients;
  for (;;) {
    v1::ListClientsRequest request;
    if (!clients.empty()) request.set_after_client_id(clients.back().client_id());
    request.set_max_clients(kPage);
    TW_ASSIGN_OR_RETURN(const v1::ListClientsResponse response, Call(&Stub::ListClients, request));
    clients.insert(clients.end(), response.clients().begin(), response.clients().end());
    if (response.clients_size() < static_cast<int>(kPage)) return clients;
  }
}

absl::StatusOr<v1::Status> ControlClient::Start() {
  TW_ASSIGN_OR_RETURN(const v1::StartRunResponse response, Call(&Stub::StartRun, v1::StartRunRequest()));
  return response.status();
}

absl::StatusOr<v1::Status> ControlClient::Stop(const std::string& reason) {
  v1::StopRunRequest request;
  request.set_reason(reason);
  TW_ASSIGN_OR_RETURN(const v1::StopRunResponse response, Call(&Stub::StopRun, request));
  return response.status();
}

absl::Status ControlClient::Watch(const std::function<bool(const v1::Status&)>& on_status) {
  grpc::ClientContext context;
  const auto reader = stub_->WatchStatus(&context, {});
  v1::WatchStatusResponse response;
  while (reader->Read(&response)) {
    if (on_status(response.status()) && !IsFinal(response.status().state())) continue;
    context.TryCancel();
    reader->Finish();
    return absl::OkStatus();
  }
  const absl::Status status = FromGrpcStatus(reader->Finish());
  if (status.ok()) return absl::UnavailableError(absl::StrCat("the server at ", address_, " ended the stream"));
  return Explain(status);
}

absl::StatusOr<v1::ExportHeader> ControlClient::Export(std::optional<uint64_t> version, const std::string& path,
                                                       const std::function<void(uint64_t, uint64_t)>& progress) {
  grpc::ClientContext context;
  v1::ExportModelRequest request;
  if (version.has_value()) request.set_version(*version);
  const auto reader = stub_->ExportModel(&context, request);
  const std::string temporary = absl::StrCat(path, ".part");
  absl::StatusOr<File> file = File::Create(temporary);
  if (!file.ok()) return OfFile(file.status());
  v1::ExportModelResponse response;
  v1::ExportHeader header;
  uint64_t written = 0;
  absl::Status status;
  while (status.ok() && reader->Read(&response)) {
    if (response.has_header()) header = response.header();
    status = OfFile(file->WriteAt(written, response.data()));
    written += response.data().size();
    progress(written, header.size());
  }
  if (!status.ok()) context.TryCancel();
  const absl::Status finished = FromGrpcStatus(reader->Finish());
  if (status.ok() && !finished.ok()) status = Explain(finished);
  if (status.ok() && written != header.size()) {
    status = absl::DataLossError(absl::StrCat("got ", written, " of ", header.size(), " bytes; try again"));
  }
  if (status.ok()) status = OfFile(file->Sync());
  if (status.ok()) status = OfFile(RenameDurably(temporary, path));
  if (!status.ok()) {
    RemoveFile(temporary).IgnoreError();
    return status;
  }
  return header;
}

}  // namespace thinwire
