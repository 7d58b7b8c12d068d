#include "server/service/download_reactor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/service/chunks.h"

namespace thinwire {

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

absl::StatusOr<bool> DownloadReactor::Fill(v1::DownloadResponse* response) {
  const uint64_t left = payload_->ref().total_size - offset_;
  if (left == 0) {
    CountWhole();
    return false;
  }
  std::string* const data = response->mutable_data();
  data->resize(std::min<uint64_t>(left, ChunkSize(request_.max_chunk_bytes())));
  TW_RETURN_IF_ERROR(payload_->ReadAt(offset_, data->size(), &(*data)[0]));
  return true;
}

void DownloadReactor::Sent(const v1::DownloadResponse& response) {
  offset_ += response.data().size();
  parts_->run->traffic->AddPayload(role_, Direction::kDown, response.data().size());
  parts_->run->traffic->AddMessage(role_, Direction::kDown, response.ByteSizeLong());
  parts_->run->clients->Touch(request_.client_id(), parts_->run->clock->Now());
}

void DownloadReactor::CountWhole() {
  const Representation representation = payload_->reader().manifest().representation;
  const absl::StatusOr<uint64_t> size = MaxPayloadSize(*parts_->run->models->spec(), representation, CodecSpec::Fp32());
  if (size.ok()) parts_->run->traffic->AddFp32Payload(role_, Direction::kDown, *size);
}

}  // namespace thinwire
