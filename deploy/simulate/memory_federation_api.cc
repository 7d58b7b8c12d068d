#include "deploy/simulate/memory_federation_api.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rpc/federation_convert.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "server/service/update_commit.h"
#include "server/service/update_states.h"

namespace thinwire {
namespace {

constexpr size_t kChunkBytes = 256 * 1024;

// Waits for a reply of the desk, which comes on the driver's thread.
template <typename T, typename Ask>
absl::StatusOr<T> ReplyTo(Ask ask) {
  std::promise<absl::StatusOr<T>> reply;
  ask([&reply](absl::StatusOr<T> answer) { reply.set_value(std::move(answer)); });
  return reply.get_future().get();
}

// Among the server's open uploads from construction to destruction, once it was admitted.
class MemoryUpload : public UploadStream {
 public:
  MemoryUpload(OpenUploads* uploads, std::string assignment) : uploads_(uploads), assignment_(std::move(assignment)) {}
  ~MemoryUpload() override { uploads_->Leave(assignment_, this); }

  void End(const absl::StatusOr<v1::UploadResponse>& outcome) override {
    MutexLock lock(mutex_);
    if (!ending_.has_value()) ending_ = outcome;
  }
  std::optional<absl::StatusOr<v1::UploadResponse>> ending() const {
    MutexLock lock(mutex_);
    return ending_;
  }

 private:
  OpenUploads* const uploads_;
  const std::string assignment_;
  mutable Mutex mutex_;
  std::optional<absl::StatusOr<v1::UploadResponse>> ending_ TW_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status MemoryFederationApi::CheckCancelled() const {
  return cancelled_ ? absl::CancelledError("the simulation is being stopped") : absl::OkStatus();
}

absl::StatusOr<AwaitReply> MemoryFederationApi::AwaitAssignment(const Holdings&) {
  TW_RETURN_IF_ERROR(CheckCancelled());
  if (std::exchange(given_, true)) return AwaitReply(RunEnded{"COMPLETED", "this client's turn is over"});
  return AwaitReply(turn_.assignment);
}

absl::Status MemoryFederationApi::Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) {
  const RunParts& parts = server_->parts();
  TW_RETURN_IF_ERROR(server_->desk().CheckJoined(turn_.client));
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<const StoredPayload> stored, parts.models->FindPayload(payload.id));
  const uint64_t size = stored->ref().total_size;
  if (offset > size) {
    return absl::OutOfRangeError(absl::StrCat("offset is ", offset, "; the payload has ", size, " bytes"));
  }
  std::string chunk;
  while (offset < size) {
    TW_RETURN_IF_ERROR(CheckCancelled());
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(kChunkBytes, size - offset)));
    TW_RETURN_IF_ERROR(stored->ReadAt(offset, chunk.size(), &chunk[0]));
    parts.traffic->AddPayload(role(), Direction::kDown, chunk.size());
    TW_RETURN_IF_ERROR(sink(chunk));
    offset += chunk.size();
  }
  parts.traffic->AddFp32Payload(role(), Direction::kDown, parts.models->Fp32SizeOf(*stored));
  return absl::OkStatus();
}

absl::StatusOr<UpdateStatus> MemoryFederationApi::Upload(const UploadRequest& request, const Source& source) {
  const RunParts& parts = server_->parts();
  const v1::UploadHeader header = ToProto(request, turn_.client);
  MemoryUpload stream(parts.uploads, request.assignment_id);
  TW_ASSIGN_OR_RETURN(const ClientDesk::Admission admission, ReplyTo<ClientDesk::Admission>([&](auto reply) {
                        server_->desk().AdmitUpload(header, &stream, std::move(reply));
                      }));
  const uint64_t total = request.payload.total_size;
  if (admission.receipt.has_value()) return FromProto(*admission.receipt, total);
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<SpoolUpload> upload,
                      parts.spool->Begin(request.assignment_id, request.payload));
  std::string chunk;
  while (upload->received() < total) {
    TW_RETURN_IF_ERROR(CheckCancelled());
    if (const auto ending = stream.ending()) {
      TW_RETURN_IF_ERROR(ending->status());
      return FromProto(**ending, upload->received());
    }
    TW_RETURN_IF_ERROR(source(upload->received(), kChunkBytes, &chunk));
    TW_RETURN_IF_ERROR(upload->Append(upload->received(), chunk));
    parts.traffic->AddPayload(role(), Direction::kUp, chunk.size());
  }
  TW_ASSIGN_OR_RETURN(const std::string file, upload->Complete());
  parts.traffic->AddFp32Payload(role(), Direction::kUp, admission.fp32_size);
  TW_ASSIGN_OR_RETURN(const UpdateRow row, CommitUpdate(parts, header, admission.kind, file));
  if (row.assignment.state == AssignmentState::kReceived) TW_RETURN_IF_ERROR(TellDriver(request.assignment_id));
  TW_ASSIGN_OR_RETURN(const v1::UploadResponse receipt, ReceiptOf(row.assignment, parts.config.late));
  return FromProto(receipt, total);
}

absl::Status MemoryFederationApi::TellDriver(const std::string& assignment) {
  TW_RETURN_IF_ERROR(turn_.put_away());
  RunDriver* const driver = &server_->driver();
  const absl::Status taken = driver->TryRun([driver, assignment, await_next = turn_.await_next] {
    driver->Apply(UpdateReceived{assignment});
    await_next();
  });
  awaits_next_ = taken.ok();
  return taken;
}

absl::StatusOr<UpdateStatus> MemoryFederationApi::UploadStatus(const std::string& assignment_id,
                                                               const Digest& payload_id) {
  v1::UploadStatusRequest request;
  request.set_client_id(turn_.client);
  request.set_assignment_id(assignment_id);
  request.set_payload_id(std::string(payload_id.AsBytes()));
  TW_ASSIGN_OR_RETURN(const v1::UploadStatusResponse response, ReplyTo<v1::UploadStatusResponse>([&](auto reply) {
                        server_->desk().UploadStatus(request, std::move(reply));
                      }));
  return FromProto(response);
}

absl::Status MemoryFederationApi::ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) {
  v1::ReportEvaluationRequest request;
  request.set_client_id(turn_.client);
  request.set_assignment_id(assignment_id);
  request.set_examples(result.examples);
  request.set_loss(result.loss);
  request.set_accuracy(result.accuracy);
  return ReplyTo<v1::ReportEvaluationResponse>(
             [&](auto reply) { server_->desk().ReportEvaluation(request, std::move(reply)); })
      .status();
}

absl::Status MemoryFederationApi::ReportFailure(const std::string& assignment_id, const std::string& reason) {
  v1::ReportFailureRequest request;
  request.set_client_id(turn_.client);
  request.set_assignment_id(assignment_id);
  request.set_reason(reason);
  return ReplyTo<v1::ReportFailureResponse>(
             [&](auto reply) { server_->desk().ReportFailure(request, std::move(reply)); })
      .status();
}

}  // namespace thinwire
