#include "tests/integration/raw_client.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/convert.h"

namespace thinwire {
namespace {

constexpr size_t kChunk = 64 << 10;
constexpr int kMaxAsks = 600;

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

// Runs one unary call.
template <typename Method, typename Request, typename Response>
absl::StatusOr<Response> Call(v1::Federation::Stub* stub, Method method, const Request& request, Response response) {
  grpc::ClientContext context;
  SetDeadline(&context);
  const grpc::Status status = (stub->*method)(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

}  // namespace

RawClient::RawClient(const std::string& address, const std::string& id,
                     const std::shared_ptr<grpc::ChannelCredentials>& credentials)
    : id_(id), stub_(v1::Federation::NewStub(grpc::CreateChannel(address, credentials))) {}

absl::StatusOr<v1::JoinResponse> RawClient::Join(const ModelSpec* spec, uint64_t examples) {
  v1::JoinRequest request;
  request.set_client_id(id_);
  request.set_role(v1::CLIENT_ROLE_TRAINER);
  request.add_wire_versions(1);
  for (const v1::CodecKind kind :
       {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64, v1::CODEC_KIND_FLOAT_BLOCKS}) {
    request.add_codecs(kind);
  }
  request.set_examples(examples);
  if (spec != nullptr) *request.mutable_model() = ToProto(*spec);
  request.set_software("raw client");
  return Join(request);
}

absl::StatusOr<v1::JoinResponse> RawClient::Join(const v1::JoinRequest& request) {
  return Call(stub_.get(), &v1::Federation::Stub::Join, request, v1::JoinResponse());
}

absl::StatusOr<v1::Assignment> RawClient::AwaitWork() {
  v1::AwaitAssignmentRequest request;
  request.set_client_id(id_);
  for (int ask = 0; ask < kMaxAsks; ++ask) {
    TW_ASSIGN_OR_RETURN(v1::AwaitAssignmentResponse response, Call(stub_.get(), &v1::Federation::Stub::AwaitAssignment,
                                                                   request, v1::AwaitAssignmentResponse()));
    if (response.has_assignment()) return response.assignment();
    if (response.has_run_ended()) return absl::AbortedError(absl::StrCat("run ended: ", response.run_ended().reason()));
  }
  return absl::DeadlineExceededError("no assignment");
}

absl::StatusOr<std::string> RawClient::Download(const PayloadRef& payload, uint64_t offset) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::DownloadRequest request;
  request.set_client_id(id_);
  request.set_payload_id(std::string(payload.id.AsBytes()));
  request.set_offset(offset);
  const auto reader = stub_->Download(&context, request);
  std::string bytes;
  v1::DownloadResponse response;
  while (reader->Read(&response)) bytes += response.data();
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return FromGrpcStatus(status);
  return bytes;
}

absl::StatusOr<std::string> RawClient::DownloadBeginning(const PayloadRef& payload) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::DownloadRequest request;
  request.set_client_id(id_);
  request.set_payload_id(std::string(payload.id.AsBytes()));
  const auto reader = stub_->Download(&context, request);
  v1::DownloadResponse response;
  const bool came = reader->Read(&response);
  context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (!came) return FromGrpcStatus(status);
  return response.data();
}

absl::StatusOr<v1::UploadResponse> RawClient::Upload(const v1::UploadHeader& header, absl::string_view bytes) {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::UploadResponse response;
  const auto writer = stub_->Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t at = 0; open && at < bytes.size(); at += kChunk) {
    request.set_data(std::string(bytes.substr(at, kChunk)));
    open = writer->Write(request);
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::StatusOr<v1::UploadStatusResponse> RawClient::UploadStatus(const std::string& assignment, const Digest& payload) {
  v1::UploadStatusRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  request.set_payload_id(std::string(payload.AsBytes()));
  return Call(stub_.get(), &v1::Federation::Stub::UploadStatus, request, v1::UploadStatusResponse());
}

absl::StatusOr<v1::UploadStatusResponse> RawClient::AwaitVerdict(const std::string& assignment, const Digest& payload) {
  for (int ask = 0; ask < kMaxAsks; ++ask) {
    TW_ASSIGN_OR_RETURN(const v1::UploadStatusResponse response, UploadStatus(assignment, payload));
    if (response.state() >= v1::UPDATE_STATE_FOLDED) return response;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return absl::DeadlineExceededError("no verdict on the update");
}

absl::Status RawClient::ReportEvaluation(const std::string& assignment) {
  v1::ReportEvaluationRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  request.set_accuracy(0.5);
  return Call(stub_.get(), &v1::Federation::Stub::ReportEvaluation, request, v1::ReportEvaluationResponse()).status();
}

absl::Status RawClient::ReportFailure(const std::string& assignment) {
  v1::ReportFailureRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  return Call(stub_.get(), &v1::Federation::Stub::ReportFailure, request, v1::ReportFailureResponse()).status();
}

absl::Status RawClient::Leave() {
  v1::LeaveRequest request;
  request.set_client_id(id_);
  return Call(stub_.get(), &v1::Federation::Stub::Leave, request, v1::LeaveResponse()).status();
}

absl::Status RawClient::Heartbeat() {
  v1::HeartbeatRequest request;
  request.set_client_id(id_);
  return Call(stub_.get(), &v1::Federation::Stub::Heartbeat, request, v1::HeartbeatResponse()).status();
}

v1::UploadHeader RawClient::HeaderFor(const v1::Assignment& assignment, const PayloadRef& payload) const {
  v1::UploadHeader header;
  header.set_client_id(id_);
  header.set_assignment_id(assignment.assignment_id());
  *header.mutable_payload() = ToProto(payload);
  header.set_examples(10);
  return header;
}

BuiltPayload BuildPayload(Manifest manifest, const std::vector<std::string>& frames) {
  BuiltPayload payload;
  std::string data;
  for (size_t i = 0; i < frames.size(); ++i) {
    manifest.segments[i].size = static_cast<uint32_t>(frames[i].size());
    manifest.segments[i].sha256 = Sha256(frames[i]);
    data += frames[i];
  }
  payload.bytes = EncodeManifest(manifest);
  payload.ref = {Sha256(payload.bytes), payload.bytes.size() + data.size(),
                 static_cast<uint32_t>(payload.bytes.size())};
  payload.bytes += data;
  return payload;
}

}  // namespace thinwire
