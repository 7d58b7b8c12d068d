#include "tests/unit/service/test_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/convert.h"

namespace thinwire {
namespace {

constexpr size_t kChunk = 64 * 1024;

// Calls a unary method of the stub.
template <typename Request, typename Response>
absl::StatusOr<Response> Call(v1::Federation::Stub* stub,
                              grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                           Response*),
                              const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  Response response;
  const absl::Status status = FromGrpcStatus((stub->*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

}  // namespace

v1::JoinRequest TestClient::JoinRequest(uint64_t examples) const {
  v1::JoinRequest request;
  request.set_client_id(id_);
  request.set_role(v1::CLIENT_ROLE_TRAINER);
  request.add_wire_versions(1);
  for (const auto codec : {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64, v1::CODEC_KIND_FLOAT_BLOCKS,
                           v1::CODEC_KIND_RDU, v1::CODEC_KIND_QUANTIZED})
    request.add_codecs(codec);
  request.set_examples(examples);
  request.set_software("test");
  return request;
}

absl::StatusOr<v1::JoinResponse> TestClient::Join(const v1::JoinRequest& request) {
  return Call(stub(), &v1::Federation::Stub::Join, request);
}

absl::StatusOr<v1::JoinResponse> TestClient::JoinAsEvaluator() {
  v1::JoinRequest request = JoinRequest(0);
  request.set_role(v1::CLIENT_ROLE_EVALUATOR);
  return Join(request);
}

absl::StatusOr<v1::AwaitAssignmentResponse> TestClient::Await() {
  v1::AwaitAssignmentRequest request;
  request.set_client_id(id_);
  request.set_uplink_bits_per_second(uplink_bits_per_second);
  return Call(stub(), &v1::Federation::Stub::AwaitAssignment, request);
}

absl::StatusOr<v1::Assignment> TestClient::AwaitWork() {
  TW_ASSIGN_OR_RETURN(const v1::AwaitAssignmentResponse response, Await());
  if (response.has_assignment()) return response.assignment();
  return absl::InternalError(absl::StrCat("no work, but ", response.ShortDebugString()));
}

absl::StatusOr<std::string> TestClient::Download(const v1::DownloadRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  const auto reader = stub_->Download(&context, request);
  std::string bytes;
  v1::DownloadResponse response;
  while (reader->Read(&response)) bytes += response.data();
  const absl::Status status = FromGrpcStatus(reader->Finish());
  if (!status.ok()) return status;
  return bytes;
}

absl::StatusOr<std::string> TestClient::Download(const v1::PayloadRef& payload, uint64_t offset) {
  v1::DownloadRequest request;
  request.set_client_id(id_);
  request.set_payload_id(payload.payload_id());
  request.set_offset(offset);
  return Download(request);
}

v1::UploadHeader TestClient::Header(const v1::Assignment& assignment, const PayloadRef& payload,
                                    uint64_t examples) const {
  v1::UploadHeader header;
  header.set_client_id(id_);
  header.set_assignment_id(assignment.assignment_id());
  *header.mutable_payload() = ToProto(payload);
  header.set_examples(examples);
  header.set_train_loss(0.5);
  return header;
}

absl::StatusOr<v1::UploadResponse> TestClient::Upload(const v1::UploadHeader& header, const std::string& bytes,
                                                      uint64_t end) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::UploadResponse response;
  const auto writer = stub_->Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (uint64_t offset = header.offset(); open && offset < end; offset += kChunk) {
    request.set_data(bytes.substr(offset, std::min<uint64_t>(kChunk, end - offset)));
    open = writer->Write(request);
  }
  writer->WritesDone();
  const absl::Status status = FromGrpcStatus(writer->Finish());
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::UploadStatusResponse> TestClient::UploadStatus(const std::string& assignment,
                                                                  const Digest& payload) {
  v1::UploadStatusRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  request.set_payload_id(std::string(payload.AsBytes()));
  return Call(stub(), &v1::Federation::Stub::UploadStatus, request);
}

absl::Status TestClient::ReportEvaluation(const std::string& assignment, double accuracy, double loss) {
  v1::ReportEvaluationRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  request.set_examples(100);
  request.set_accuracy(accuracy);
  request.set_loss(loss);
  return Call(stub(), &v1::Federation::Stub::ReportEvaluation, request).status();
}

absl::Status TestClient::ReportFailure(const std::string& assignment, const std::string& reason) {
  v1::ReportFailureRequest request;
  request.set_client_id(id_);
  request.set_assignment_id(assignment);
  request.set_reason(reason);
  return Call(stub(), &v1::Federation::Stub::ReportFailure, request).status();
}

absl::Status TestClient::Heartbeat() {
  v1::HeartbeatRequest request;
  request.set_client_id(id_);
  request.set_activity("training, step 1 of 2");
  return Call(stub(), &v1::Federation::Stub::Heartbeat, request).status();
}

absl::Status TestClient::Leave() {
  v1::LeaveRequest request;
  request.set_client_id(id_);
  request.set_reason("done");
  return Call(stub(), &v1::Federation::Stub::Leave, request).status();
}

}  // namespace thinwire
