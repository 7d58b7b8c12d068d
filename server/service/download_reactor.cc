#include "server/service/download_reactor.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpc/slice.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/service/chunks.h"

namespace thinwire {

std::string DownloadResponseHead(size_t data_size) {
  constexpr uint8_t kKey = v1::DownloadResponse::kDataFieldNumber << 3 | 2;
  std::array<uint8_t, 6> head = {kKey};
  const uint8_t* const end =
      google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(data_size), &head[1]);
  return std::string(reinterpret_cast<const char*>(head.data()), static_cast<size_t>(end - head.data()));
}

absl::StatusOr<grpc::ByteBuffer> SerializedChunk(const StoredPayload& payload, uint64_t offset, size_t size) {
  const std::string head = DownloadResponseHead(size);
  // Wrapped only when it is filled: a short slice holds its bytes by value.
  grpc_slice memory = grpc_slice_malloc(head.size() + size);
  std::memcpy(GRPC_SLICE_START_PTR(memory), head.data(), head.size());
  const absl::Status status = payload.ReadAt(offset, size, GRPC_SLICE_START_PTR(memory) + head.size());
  const grpc::Slice slice(memory, grpc::Slice::STEAL_REF);
  if (!status.ok()) return status;
  return grpc::ByteBuffer(&slice, 1);
}

absl::Status DownloadReactor::Open() {
  parts_->run->traffic->AddMessage(role_, Direction::kUp, request_.ByteSizeLong());
  TW_RETURN_IF_ERROR(parts_->desk->CheckJoined(request_.client_id()));
  const absl::StatusOr<Digest> id = Digest::FromBytes(request_.payload_id());
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("payload_id: ", id.status().message()));
  absl::StatusOr<std::shared_ptr<const StoredPayload>> payload = parts_->run->models->FindPayload(*id);
  if (!payload.ok()) {
    return absl::NotFoundError(
        absl::StrCat("payload ", id->Hex(), " is unknown, or its version is gone: call AwaitAssignment"));
  }
  payload_ = *std::move(payload);
  offset_ = request_.offset();
  if (offset_ <= payload_->ref().total_size) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("offset is ", offset_, "; the payload has ", payload_->ref().total_size, " bytes"));
}

absl::StatusOr<bool> DownloadReactor::Fill(grpc::ByteBuffer* response) {
  const uint64_t left = payload_->ref().total_size - offset_;
  if (left == 0) {
    CountWhole();
    return false;
  }
  chunk_ = std::min<uint64_t>(left, ChunkSize(request_.max_chunk_bytes()));
  TW_ASSIGN_OR_RETURN(*response, SerializedChunk(*payload_, offset_, chunk_));
  return true;
}

void DownloadReactor::Sent(const grpc::ByteBuffer& response) {
  offset_ += chunk_;
  parts_->run->traffic->AddPayload(role_, Direction::kDown, chunk_);
  parts_->run->traffic->AddMessage(role_, Direction::kDown, response.Length());
  parts_->run->clients->Touch(request_.client_id(), parts_->run->clock->Now());
}

void DownloadReactor::CountWhole() {
  parts_->run->traffic->AddFp32Payload(role_, Direction::kDown, parts_->run->models->Fp32SizeOf(*payload_));
}

}  // namespace thinwire
