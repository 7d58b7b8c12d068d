#include "server/aggregate/update_columns.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/aggregate/column_loops.h"

namespace thinwire {
namespace {

absl::Status NothingAdded() { return absl::FailedPreconditionError("no update has been added, nothing to aggregate"); }

}  // namespace

absl::StatusOr<FoldReport> UpdateColumns::Add(const FoldRequest& request) {
  TW_ASSIGN_OR_RETURN(UpdateReader reader, UpdateReader::Open(spec_, request));
  TW_ASSIGN_OR_RETURN(const FoldReport report, CheckUpdate(reader, request, fixed_point_));
  MutexLock lock(mutex_);
  TW_RETURN_IF_ERROR(CheckAdmission(fixed_point_, request.weight, static_cast<uint32_t>(members_.size())));
  members_.push_back({std::move(reader), ClipFactor(request, report)});
  return report;
}

uint32_t UpdateColumns::updates() const {
  MutexLock lock(mutex_);
  return static_cast<uint32_t>(members_.size());
}

size_t UpdateColumns::buffer_bytes() const {
  MutexLock lock(mutex_);
  return (keys_.capacity() + tile_.capacity()) * sizeof(int32_t) + block_.frame.capacity() +
         (block_.floats.capacity() + block_.base.capacity()) * sizeof(float) + block_.ints.capacity() * sizeof(int64_t);
}

absl::Status UpdateColumns::ReadBlock(const Member& member, uint32_t tensor, uint64_t first, size_t size) const {
  const size_t index = member.reader.SegmentIndex(tensor, first / kBlockValues);
  const bool whole = index != PayloadReader::kNoSegment && first % kBlockValues == 0 &&
                     member.reader.manifest().segments[index].count == size;
  if (!whole) {
    return absl::InternalError(
        absl::StrCat("values ", first, " to ", first + size, " of tensor ", tensor, " are not one block of an update"));
  }
  const absl::Status read = member.reader.Read(index, SegmentCheck::kFrameOnly, &block_);
  if (read.ok()) return read;
  return absl::InternalError(absl::StrCat("an update passed its check but could not be read again: ", read.message()));
}

absl::Status UpdateColumns::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const {
  MutexLock lock(mutex_);
  if (members_.empty()) return NothingAdded();
  const bool trainable = spec_.tensors()[tensor].role == TensorRole::kTrainable;
  keys_.resize(members_.size() * out.size());
  for (size_t row = 0; row < members_.size(); ++row) {
    TW_RETURN_IF_ERROR(ReadBlock(members_[row], tensor, first, out.size()));
    if (trainable && members_[row].factor != 1) block_.Scale(members_[row].factor);
    ToSortKeys(block_.floats, keys_.data() + row * out.size());
  }
  for (size_t begin = 0; begin < out.size(); begin += kTile) {
    const size_t columns = std::min(kTile, out.size() - begin);
    tile_.resize(members_.size() * kTile);
    for (size_t row = 0; row < members_.size(); ++row) {
      std::copy_n(keys_.data() + row * out.size() + begin, columns, tile_.data() + row * kTile);
    }
    Combine(columns, out.subspan(begin, columns));
  }
  return absl::OkStatus();
}

void UpdateColumns::Combine(size_t columns, absl::Span<float> out) const {
  const size_t rows = members_.size();
  const KeyRows tile = {tile_.data(), rows, kTile, columns};
  SortColumns(tile);
  const size_t trimmed = options_.kind == AggregatorOptions::Kind::kMedian
                             ? (rows - 1) / 2  // leaves the middle one, or the middle two
                             : TrimmedAtEachEnd(options_.trim, static_cast<uint32_t>(rows));
  MeanOfRows(tile, trimmed, rows - trimmed, out);
}

absl::Status UpdateColumns::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const {
  MutexLock lock(mutex_);
  if (members_.empty()) return NothingAdded();
  std::fill(out.begin(), out.end(), std::numeric_limits<int64_t>::min());
  for (const Member& member : members_) {
    TW_RETURN_IF_ERROR(ReadBlock(member, tensor, first, out.size()));
    for (size_t i = 0; i < out.size(); ++i) out[i] = std::max(out[i], block_.ints[i]);
  }
  return absl::OkStatus();
}

}  // namespace thinwire
