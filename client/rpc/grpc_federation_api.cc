#include "client/rpc/grpc_federation_api.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rpc/federation_convert.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Before any rate is known. A message is only seen whole: one of this size passes within the stall limit even at 1
// kB/s, and what has arrived of it when a connection breaks comes again.
constexpr size_t kFirstChunk = 16 * 1024;
constexpr uint64_t kCommitBytesPerSecond = 4 << 20;

void SetTimeout(absl::Duration timeout, grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
}

// How a transfer ended: by the caller's own error, by the watchdog, or as gRPC says.
absl::Status TransferStatus(const ProgressWatchdog& watchdog, absl::Duration stall, const absl::Status& own,
                            const absl::Status& status) {
  if (!own.ok()) return own;
  if (!watchdog.stalled() || status.ok()) return status;
  return absl::DeadlineExceededError(absl::StrCat("no byte has moved for ", absl::FormatDuration(stall)));
}

}  // namespace

GrpcFederationApi::GrpcFederationApi(ChannelFactory make_channel, std::string client_id, RpcTimeouts timeouts)
    : connection_(std::move(make_channel)),
      client_id_(std::move(client_id)),
      timeouts_(timeouts),
      down_(kFirstChunk),
      up_(kFirstChunk) {}

template <typename Request, typename Response>
absl::Status GrpcFederationApi::CallWith(grpc::ClientContext* context,
                                         grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*,
                                                                                      const Request&, Response*),
                                         const Request& request, absl::Duration timeout, Response* response) {
  SetTimeout(timeout, context);
  const std::shared_ptr<Connection::Link> link = connection_.Use();
  return connection_.Finish(link, (link->stub.get()->*method)(context, request, response));
}

template <typename Request, typename Response>
absl::Status GrpcFederationApi::Call(grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                  Response*),
                                     const Request& request, absl::Duration timeout, Response* response) {
  grpc::ClientContext context;
  const ActiveCalls::Scope scope(&calls_, &context);
  return CallWith(&context, method, request, timeout, response);
}

absl::StatusOr<JoinReply> GrpcFederationApi::Join(const JoinRequest& request) {
  v1::JoinResponse response;
  TW_RETURN_IF_ERROR(Call(&v1::Federation::Stub::Join, ToProto(request), timeouts_.call, &response));
  TW_ASSIGN_OR_RETURN(JoinReply reply, FromProto(response));
  if (reply.max_chunk_bytes > 0) {
    down_.SetLimit(reply.max_chunk_bytes);
    up_.SetLimit(reply.max_chunk_bytes);
  }
  return reply;
}

absl::StatusOr<AwaitReply> GrpcFederationApi::AwaitAssignment(const Holdings& holdings) {
  v1::AwaitAssignmentRequest request;
  request.set_client_id(client_id_);
  if (holdings.model.has_value()) request.set_held_model(std::string(holdings.model->AsBytes()));
  if (holdings.basis.has_value()) {
    request.mutable_basis()->set_epoch(holdings.basis->epoch);
    request.mutable_basis()->set_sha256(std::string(holdings.basis->sha256.AsBytes()));
  }
  request.set_uplink_bits_per_second(holdings.uplink_bits_per_second);
  v1::AwaitAssignmentResponse response;
  TW_RETURN_IF_ERROR(Call(&v1::Federation::Stub::AwaitAssignment, request, timeouts_.await, &response));
  return FromProto(response);
}

absl::Status GrpcFederationApi::Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) {
  v1::DownloadRequest request;
  request.set_client_id(client_id_);
  request.set_payload_id(std::string(payload.id.AsBytes()));
  request.set_offset(offset);
  request.set_max_chunk_bytes(static_cast<uint32_t>(down_.Next()));
  grpc::ClientContext context;
  const ActiveCalls::Scope scope(&calls_, &context);
  ProgressWatchdog watchdog(timeouts_.stall, [&context] { context.TryCancel(); });
  down_.BeginStream(Clock::System()->Now());
  const std::shared_ptr<Connection::Link> link = connection_.Use();
  const auto reader = link->stub->Download(&context, request);
  absl::Status taken;
  v1::DownloadResponse response;
  while (reader->Read(&response)) {
    if (!taken.ok()) continue;  // drains what was under way
    down_.Transferred(response.data().size(), Clock::System()->Now());
    taken = sink(response.data());
    if (!taken.ok()) context.TryCancel();
    watchdog.Feed();
  }
  const absl::Status status = connection_.Finish(link, reader->Finish());
  if (watchdog.stalled()) down_.Stalled();
  return TransferStatus(watchdog, timeouts_.stall, taken, status);
}

absl::Status GrpcFederationApi::SendChunks(const UploadRequest& request, const Source& source,
                                           grpc::ClientWriter<v1::UploadRequest>* writer, ProgressWatchdog* watchdog) {
  v1::UploadRequest message;
  *message.mutable_header() = ToProto(request, client_id_);
  up_.BeginStream(Clock::System()->Now());
  // The header waits for the first chunk, to travel with it.
  bool open = writer->Write(message, grpc::WriteOptions().set_buffer_hint());
  uint64_t offset = request.offset;
  while (open && offset < request.payload.total_size) {
    TW_RETURN_IF_ERROR(source(offset, up_.Next(), message.mutable_data()));
    if (message.data().empty()) return absl::InternalError("an upload's source gave no bytes");
    offset += message.data().size();
    open = writer->Write(message);
    watchdog->Feed();
    up_.Transferred(message.data().size(), Clock::System()->Now());
  }
  return absl::OkStatus();
}

absl::StatusOr<UpdateStatus> GrpcFederationApi::Upload(const UploadRequest& request, const Source& source) {
  grpc::ClientContext context;
  const ActiveCalls::Scope scope(&calls_, &context);
  ProgressWatchdog watchdog(timeouts_.stall, [&context] { context.TryCancel(); });
  v1::UploadResponse response;
  const std::shared_ptr<Connection::Link> link = connection_.Use();
  const auto writer = link->stub->Upload(&context, &response);
  const absl::Status given = SendChunks(request, source, writer.get(), &watchdog);
  if (!given.ok()) context.TryCancel();
  writer->WritesDone();
  watchdog.FeedFor(timeouts_.commit +
                   absl::Seconds(static_cast<int64_t>(request.payload.total_size / kCommitBytesPerSecond)));
  const absl::Status status = connection_.Finish(link, writer->Finish());
  if (watchdog.stalled()) up_.Stalled();
  TW_RETURN_IF_ERROR(TransferStatus(watchdog, timeouts_.stall, given, status));
  return FromProto(response, request.payload.total_size);
}

absl::StatusOr<UpdateStatus> GrpcFederationApi::UploadStatus(const std::string& assignment_id,
                                                             const Digest& payload_id) {
  v1::UploadStatusRequest request;
  request.set_client_id(client_id_);
  request.set_assignment_id(assignment_id);
  request.set_payload_id(std::string(payload_id.AsBytes()));
  v1::UploadStatusResponse response;
  TW_RETURN_IF_ERROR(Call(&v1::Federation::Stub::UploadStatus, request, timeouts_.call, &response));
  return FromProto(response);
}

absl::Status GrpcFederationApi::ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) {
  v1::ReportEvaluationRequest request;
  request.set_client_id(client_id_);
  request.set_assignment_id(assignment_id);
  request.set_examples(result.examples);
  request.set_loss(result.loss);
  request.set_accuracy(result.accuracy);
  v1::ReportEvaluationResponse response;
  return Call(&v1::Federation::Stub::ReportEvaluation, request, timeouts_.call, &response);
}

absl::Status GrpcFederationApi::ReportFailure(const std::string& assignment_id, const std::string& reason) {
  v1::ReportFailureRequest request;
  request.set_client_id(client_id_);
  request.set_assignment_id(assignment_id);
  request.set_reason(reason);
  v1::ReportFailureResponse response;
  return Call(&v1::Federation::Stub::ReportFailure, request, timeouts_.call, &response);
}

absl::Status GrpcFederationApi::Heartbeat(const std::string& activity) {
  v1::HeartbeatRequest request;
  request.set_client_id(client_id_);
  request.set_activity(activity);
  v1::HeartbeatResponse response;
  return Call(&v1::Federation::Stub::Heartbeat, request, timeouts_.call, &response);
}

absl::Status GrpcFederationApi::Leave(const std::string& reason) {
  v1::LeaveRequest request;
  request.set_client_id(client_id_);
  request.set_reason(reason);
  v1::LeaveResponse response;
  grpc::ClientContext context;  // not among the calls that Cancel ends
  return CallWith(&context, &v1::Federation::Stub::Leave, request, timeouts_.leave, &response);
}

void GrpcFederationApi::Cancel() { calls_.CancelAll(); }

}  // namespace thinwire
