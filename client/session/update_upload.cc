#include "client/session/update_upload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Offsets may move under a client whose earlier connection is still being drained by the server.
constexpr int kMaxTurns = 8;

constexpr double kFastest = 1e12;  // bits a second

// The server wants no (more) bytes.
bool IsSettled(UpdateState state) { return state != UpdateState::kUnknown && state != UpdateState::kPartial; }

}  // namespace

const char* UpdateStateName(UpdateState state) {
  switch (state) {
    case UpdateState::kUnknown:
      return "unknown";
    case UpdateState::kPartial:
      return "partial";
    case UpdateState::kReceived:
      return "received";
    case UpdateState::kFolded:
      return "folded";
    case UpdateState::kDiscarded:
      return "discarded";
    case UpdateState::kFailed:
      return "failed";
  }
  return "unknown";
}

absl::StatusOr<UpdateStatus> UpdateUploader::Send(const PendingUpdate& update, const ProgressFn& progress) {
  absl::Status last;
  bool resent = false;
  for (int turn = 0; turn < kMaxTurns; ++turn) {
    TW_ASSIGN_OR_RETURN(UpdateStatus held, api_->UploadStatus(update.assignment_id, update.payload.id));
    if (IsSettled(held.state)) return held;
    const uint64_t offset = held.state == UpdateState::kPartial ? held.received_bytes : 0;
    if (offset > update.payload.total_size) {
      return absl::DataLossError(
          absl::StrCat("the server says that it holds ", offset, " bytes of an update of ", update.payload.total_size));
    }
    absl::StatusOr<UpdateStatus> reply = SendFrom(update, offset, progress);
    if (reply.ok()) return reply;
    last = reply.status();
    const bool damaged = last.code() == absl::StatusCode::kDataLoss && !resent;
    if (!damaged && last.code() != absl::StatusCode::kFailedPrecondition) return last;
    resent = resent || damaged;
  }
  return absl::InternalError(
      absl::StrCat("the server refused the offset ", kMaxTurns, " times that it had named itself: ", last.message()));
}

absl::StatusOr<UpdateStatus> UpdateUploader::SendFrom(const PendingUpdate& update, uint64_t offset,
                                                      const ProgressFn& progress) {
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(update.path));
  UploadRequest request;
  request.assignment_id = update.assignment_id;
  request.payload = update.payload;
  request.offset = offset;
  request.examples = update.examples;
  request.train_loss = update.train_loss;
  request.train_time = update.train_time;
  request.coding = update.coding;
  const uint64_t total = update.payload.total_size;
  const Monotonic start = clock_->Now();
  absl::StatusOr<UpdateStatus> receipt = api_->Upload(request, [&](uint64_t from, size_t max, std::string* out) {
    out->resize(pacer_.Piece(static_cast<size_t>(std::min<uint64_t>(max, total - std::min(from, total)))));
    TW_RETURN_IF_ERROR(file.ReadAt(from, out->size(), out->empty() ? nullptr : &(*out)[0]));
    TW_RETURN_IF_ERROR(pacer_.Await(out->size()));
    bytes_sent_ += out->size();
    if (progress) progress(offset, from + out->size(), total);
    return absl::OkStatus();
  });
  // What is left after a break may be too little to tell anything by.
  if (receipt.ok() && offset <= total / 2) Measure(total - offset, clock_->Now() - start);
  return receipt;
}

void UpdateUploader::Measure(uint64_t bytes, absl::Duration time) {
  const double seconds = absl::ToDoubleSeconds(std::max(time, absl::Microseconds(1)));
  const auto rate = static_cast<uint64_t>(std::min(8 * static_cast<double>(bytes) / seconds, kFastest));
  measured_ = measured_ == 0 ? rate : (measured_ + rate) / 2;
}

}  // namespace thinwire
