#include "server/service/upload_reactor.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/convert.h"
#include "server/service/chunks.h"
#include "server/service/update_commit.h"
#include "server/service/update_states.h"

namespace thinwire {

namespace {

// A header holds ids of known lengths and a few numbers.
constexpr size_t kMaxHeaderBytes = 4096;

}  // namespace

void UploadReactor::Begin() {
  // gRPC does not delete this before the method that calls Begin has returned.
  const absl::Status greeted = parts_->run->uploads->Greet(this);
  if (!greeted.ok()) return Conclude(greeted);
  MutexLock lock(mutex_);
  if (!finished_) StartRead(&message_);
}

void UploadReactor::OnReadDone(bool ok) {
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    working_ = true;
  }
  if (!ok) {
    if (!has_header_) return Conclude(absl::InvalidArgumentError("the stream ended before its header"));
    return parts_->run->io->Run([this] { Complete(); });
  }
  TakeMessage();
}

void UploadReactor::OnCancel() { End(absl::CancelledError("the client has ended its call")); }

void UploadReactor::OnDone() {
  parts_->run->uploads->Leave(header_.assignment_id(), this);
  // Whoever called Finish may still hold the lock.
  { MutexLock lock(mutex_); }
  delete this;
}

void UploadReactor::End(const Outcome& outcome) {
  MutexLock lock(mutex_);
  if (finished_) return;
  if (!ending_.has_value()) ending_ = outcome;
  if (!working_) FinishLocked(*ending_);
}

void UploadReactor::ReadNext() {
  MutexLock lock(mutex_);
  working_ = false;
  if (ending_.has_value()) return FinishLocked(*ending_);
  StartRead(&message_);
}

void UploadReactor::Conclude(const Outcome& outcome) {
  MutexLock lock(mutex_);
  working_ = false;
  FinishLocked(outcome);
}

void UploadReactor::FinishLocked(const Outcome& outcome) {
  finished_ = true;
  if (upload_ != nullptr && (absl::IsResourceExhausted(outcome.status()) || absl::IsInternal(outcome.status()))) {
    spdlog::error("upload not stored assignment={} client={} received={} error=\"{}\"", header_.assignment_id(),
                  header_.client_id(), upload_->received(), outcome.status().ToString());
  }
  if (outcome.ok()) {
    bool owned = false;
    grpc::SerializationTraits<v1::UploadResponse>::Serialize(*outcome, response_, &owned);
    parts_->run->traffic->AddMessage(role_, Direction::kDown, response_->Length());
  }
  Finish(ToGrpcStatus(outcome.status()));
}

void UploadReactor::TakeMessage() {
  if (!has_header_ && message_.Length() > kMaxHeaderBytes) {
    return Conclude(absl::InvalidArgumentError(absl::StrCat(
        "the first message has ", message_.Length(), " bytes; it must be the header, of at most ", kMaxHeaderBytes)));
  }
  absl::StatusOr<UploadPart> part = UploadPart::Parse(&message_);
  message_.Clear();
  if (!part.ok()) return Conclude(part.status());
  part_ = *std::move(part);
  has_header_ ? TakeChunk() : TakeHeader();
}

void UploadReactor::TakeHeader() {
  if (!part_.is_header()) return Conclude(absl::InvalidArgumentError("the first message must be the header"));
  has_header_ = true;
  header_ = part_.header();
  const absl::Status allowed = parts_->peers->CheckClient(*context_, header_.client_id());
  if (!allowed.ok()) return Conclude(allowed);
  role_ = parts_->run->clients->RoleOf(header_.client_id());
  parts_->run->traffic->AddMessage(role_, Direction::kUp, part_.message_size());
  parts_->desk->AdmitUpload(header_, this, [this](const auto& admission) { Admitted(admission); });
}

void UploadReactor::Admitted(const absl::StatusOr<ClientDesk::Admission>& admission) {
  if (!admission.ok()) return Conclude(admission.status());
  admission_ = *admission;
  if (admission_.receipt.has_value()) return Conclude(*admission_.receipt);
  parts_->run->io->Run([this] {
    const absl::Status status = OpenSpool();
    if (status.ok()) return ReadNext();
    if (absl::IsAlreadyExists(status)) return Conclude(EarlierReceipt());
    Conclude(absl::IsResourceExhausted(status) ? RefuseAtLimit(parts_, "spool full", header_.client_id(), status)
                                               : status);
  });
}

absl::Status UploadReactor::OpenSpool() {
  TW_ASSIGN_OR_RETURN(const PayloadRef payload, FromProto(header_.payload()));
  TW_ASSIGN_OR_RETURN(upload_, parts_->run->spool->Begin(header_.assignment_id(), payload));
  const uint64_t received = upload_->received();
  if (header_.offset() == received) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("offset is ", header_.offset(), "; the server holds ", received,
                                                    " bytes of this payload: ask UploadStatus and go on there"));
}

void UploadReactor::TakeChunk() {
  const size_t size = part_.data_size();
  parts_->run->traffic->AddMessage(role_, Direction::kUp, part_.message_size());
  parts_->run->traffic->AddPayload(role_, Direction::kUp, size);
  parts_->run->clients->Touch(header_.client_id(), parts_->run->clock->Now());
  if (part_.is_header() || size == 0 || size > kMaxChunkBytes) {
    return Conclude(absl::InvalidArgumentError(absl::StrCat("after the header come chunks of 1..", kMaxChunkBytes,
                                                            " bytes; this message has ", size, " bytes of data")));
  }
  parts_->run->io->Run([this] {
    const absl::Status status = WriteChunk();
    part_ = UploadPart();  // the chunk's memory goes before the next one comes in
    if (status.ok()) return ReadNext();
    Conclude(status);
  });
}

absl::Status UploadReactor::WriteChunk() {
  const uint64_t end = upload_->received() + part_.data_size();
  if (end > header_.payload().total_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the chunk ends at byte ", end, "; the header declared ",
                                                   header_.payload().total_size(), " bytes"));
  }
  return upload_->Append(upload_->received(), part_.data());
}

void UploadReactor::Complete() { Conclude(CompleteNow()); }

UploadReactor::Outcome UploadReactor::CompleteNow() {
  const uint64_t received = upload_->received();
  if (received < header_.payload().total_size()) {
    if (context_->IsCancelled()) return absl::CancelledError("the client has gone");
    return absl::FailedPreconditionError(absl::StrCat("the stream ended at byte ", received, " of ",
                                                      header_.payload().total_size(),
                                                      ": ask UploadStatus and go on there"));
  }
  // An upload takes as long as its link; the certificate may have been revoked meanwhile.
  TW_RETURN_IF_ERROR(parts_->peers->CheckClient(*context_, header_.client_id()));
  TW_ASSIGN_OR_RETURN(const std::string file, upload_->Complete());
  parts_->run->traffic->AddFp32Payload(role_, Direction::kUp, admission_.fp32_size);
  return Receive(file);
}

UploadReactor::Outcome UploadReactor::Receive(const std::string& file) {
  TW_ASSIGN_OR_RETURN(const UpdateRow row, CommitUpdate(*parts_->run, header_, admission_.kind, file));
  if (row.assignment.state == AssignmentState::kReceived) {
    spdlog::debug("received assignment={} client={} payload_bytes={}", row.assignment.id, header_.client_id(),
                  row.payload.total_size);
    parts_->driver->Post(UpdateReceived{row.assignment.id});
  }
  return ReceiptOf(row.assignment, parts_->run->config.late);
}

UploadReactor::Outcome UploadReactor::EarlierReceipt() {
  TW_ASSIGN_OR_RETURN(const std::optional<UpdateRow> row,
                      parts_->run->journal->FindAssignment(header_.assignment_id()));
  if (row.has_value() && row->assignment.state != AssignmentState::kTraining) {
    return ReceiptOf(row->assignment, parts_->run->config.late);
  }
  return absl::AbortedError("another upload of this assignment is being completed: ask UploadStatus");
}

}  // namespace thinwire
