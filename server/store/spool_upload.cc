#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "server/store/fail_point.h"
#include "server/store/rename.h"
#include "server/store/spool.h"
#include "server/store/spool_entry.h"

namespace thinwire {
namespace {

absl::Status TakenOver(const SpoolEntry& entry) {
  return absl::AbortedError(
      absl::StrCat("another connection has taken over the upload of assignment '", entry.assignment, "'"));
}

// SHA-256 of the first `size` bytes, read in pieces: `size` is only what the client says.
absl::StatusOr<Digest> HashFront(const File& file, uint64_t size) {
  constexpr uint64_t kPiece = 1 << 16;
  Sha256Stream hash;
  std::string piece;
  for (uint64_t done = 0; done < size; done += piece.size()) {
    piece.resize(std::min(kPiece, size - done));
    TW_RETURN_IF_ERROR(file.ReadAt(done, piece.size(), &piece[0]));
    hash.Update(piece);
  }
  return hash.Finish();
}

}  // namespace

SpoolUpload::SpoolUpload(Spool* spool, std::shared_ptr<SpoolEntry> entry, uint64_t turn)
    : spool_(spool), entry_(std::move(entry)), turn_(turn) {}

SpoolUpload::~SpoolUpload() {
  MutexLock lock(entry_->mutex);
  if (entry_->turn == turn_) entry_->file = File();
}

uint64_t SpoolUpload::received() const { return entry_->received; }

absl::Status SpoolUpload::Append(uint64_t offset, absl::Span<const absl::string_view> data) {
  uint64_t added = 0;
  for (const absl::string_view piece : data) added += piece.size();
  MutexLock lock(entry_->mutex);
  if (entry_->turn != turn_ || entry_->state == SpoolState::kGone) return TakenOver(*entry_);
  if (offset != entry_->received) {
    return absl::OutOfRangeError(absl::StrCat("the upload of assignment '", entry_->assignment, "' goes on at byte ",
                                              entry_->received.load(), ", data for byte ", offset,
                                              " came; ask UploadStatus"));
  }
  const uint64_t size = entry_->payload->total_size;
  if (added > size - offset) {
    return absl::OutOfRangeError(absl::StrCat("the upload of assignment '", entry_->assignment, "' was announced with ",
                                              size, " bytes, ", offset + added, " came"));
  }
  TW_RETURN_IF_ERROR(entry_->file.WriteAt(offset, data));
  entry_->file.StartWriteback(offset, added);
  entry_->received = offset + added;
  PassFailPoint(FailPoint::kAfterSpoolWrite);
  return absl::OkStatus();
}

absl::StatusOr<std::string> SpoolUpload::Complete() {
  absl::StatusOr<std::string> sealed = Seal();
  if (sealed.ok()) {
    spool_->NoLongerPartial(*entry_);
  } else if (absl::IsDataLoss(sealed.status())) {
    spool_->Forget(entry_);
  }
  return sealed;
}

absl::StatusOr<std::string> SpoolUpload::Seal() {
  MutexLock lock(entry_->mutex);
  if (entry_->turn != turn_ || entry_->state == SpoolState::kGone) return TakenOver(*entry_);
  const std::string name = entry_->FileName(SpoolState::kComplete);
  if (entry_->state == SpoolState::kComplete) return name;
  const PayloadRef& payload = *entry_->payload;
  if (entry_->received != payload.total_size) {
    return absl::OutOfRangeError(absl::StrCat("the update of assignment '", entry_->assignment, "' has ",
                                              entry_->received.load(), " of ", payload.total_size, " bytes"));
  }
  TW_ASSIGN_OR_RETURN(const Digest id, HashFront(entry_->file, payload.manifest_size));
  if (id != payload.id) {
    TW_RETURN_IF_ERROR(spool_->RemoveFileOf(*entry_));
    return absl::DataLossError(absl::StrCat("the update of assignment '", entry_->assignment, "' was announced as ",
                                            payload.id.Hex(), ", its manifest is ", id.Hex(), "; send it again"));
  }
  TW_RETURN_IF_ERROR(entry_->file.Sync());
  PassFailPoint(FailPoint::kBeforeSpoolRename);
  TW_RETURN_IF_ERROR(RenameUnsynced(spool_->PathOf(entry_->FileName(SpoolState::kPartial)), spool_->PathOf(name)));
  TW_RETURN_IF_ERROR(spool_->directory_syncer_.Sync());
  PassFailPoint(FailPoint::kAfterSpoolRename);
  entry_->state = SpoolState::kComplete;
  entry_->file = File();
  return name;
}

}  // namespace thinwire
