// One spooled update as values relative to R, and the check that every update passes before it counts. Used by
// FoldUpdate and UpdateColumns.
#ifndef THINWIRE_SERVER_AGGREGATE_UPDATE_READER_H_
#define THINWIRE_SERVER_AGGREGATE_UPDATE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/codec/payload.h"
#include "common/subspace/trainable_vector.h"
#include "common/tensor/model_spec.h"
#include "common/update/update_coder.h"
#include "server/aggregate/fixed_point.h"
#include "server/aggregate/folder.h"

namespace thinwire {

// Buffers of one block, to be used again and again. After a read either `floats` or `ints` holds the block.
struct UpdateBlock {
  std::string frame;
  std::vector<float> floats;
  std::vector<float> base;
  std::vector<int64_t> ints;
  std::vector<int64_t> base_ints;
  std::vector<uint64_t> positions;  // of entries, whose values are `floats`; else empty

  // Multiplies the floats. Element by element, so that the result is the same on every machine.
  void Scale(float factor) {
    for (float& value : floats) value *= factor;
  }
};

// An open update: a file and its manifest, no values. `spec` and the request's base must outlive it. Reads are
// thread-safe.
class UpdateReader {
 public:
  // INVALID_ARGUMENT, DATA_LOSS or UNIMPLEMENTED, as PayloadReader::Open; INVALID_ARGUMENT if the update did not start
  // from the request's base.
  static absl::StatusOr<UpdateReader> Open(const ModelSpec& spec, const FoldRequest& request);

  const Manifest& manifest() const { return reader_.manifest(); }
  const TensorSpec& TensorOf(const Segment& segment) const { return spec_->tensors()[segment.tensor]; }
  // Where the segment's values belong in the sums, unless they are entries or of a coded update.
  uint32_t SumTensorOf(const Segment& segment) const {
    return form_ == nullptr ? segment.tensor : form_->sum_tensors[segment.tensor];
  }
  size_t SegmentIndex(uint32_t tensor, uint64_t block) const { return reader_.SegmentIndex(tensor, block); }
  // Reads segment `index`. INTERNAL if R cannot be read, which is not the update's fault.
  absl::Status Read(size_t index, SegmentCheck check, UpdateBlock* out) const;
  // Whether tensor 0 is a whole update in one code, whose segments are for ReadUpdate; the others are then of buffers,
  // for ForEachBuffer.
  bool coded() const;
  // Where in the sums the values of a segment of buffers belong: `offset` is the first of a piece in the block.
  absl::Status ForEachBuffer(const Segment& segment,
                             absl::FunctionRef<absl::Status(const TensorVector::Piece& piece)> visit) const;
  // Decodes that update, of the request's layout. Errors of DecodeUpdateString and the visitor's, named;
  // INVALID_ARGUMENT without a layout.
  absl::Status ReadUpdate(SegmentCheck check, UpdateVisitor visit) const;

 private:
  UpdateReader(const ModelSpec& spec, const FoldRequest& request, PayloadReader reader)
      : spec_(&spec), base_(request.base), form_(request.form), layout_(request.layout), reader_(std::move(reader)) {}
  // All pieces in one, of the codec of them all.
  absl::StatusOr<std::string> ReadPieces(SegmentCheck check, CodecId* codec) const;
  absl::Status InSegment(const Segment& segment, const absl::Status& status) const;
  absl::Status SubtractBase(const Segment& segment, UpdateBlock* out) const;
  // Turns differences of integer buffers into the buffers.
  absl::Status AddBaseCounts(const Segment& segment, UpdateBlock* out) const;
  absl::Status AddBaseCounts(const TensorVector::Piece& piece, UpdateBlock* out) const;
  absl::Status ReadBase(const Segment& segment, std::vector<float>* out) const;

  const ModelSpec* spec_;
  const PayloadReader* base_;
  const UpdateForm* form_;
  const UpdateLayout* layout_;
  PayloadReader reader_;
};

// Reads everything once: hashes, frames, finite values within the round's bounds, norm. Errors as FoldUpdate.
// `trained` is whose entries an update of entries has; null if it has none.
absl::StatusOr<FoldReport> CheckUpdate(const UpdateReader& reader, const FoldRequest& request,
                                       const FixedPoint& fixed_point, const TrainableVector* trained = nullptr);

// Calls visit(tensor, indices in the tensor, values) for the runs of entries that lie in one tensor each, until one
// fails. INVALID_ARGUMENT if positions lie beyond the vector; they ascend.
absl::Status ForEachRun(
    const TrainableVector& trained, absl::Span<const uint64_t> positions, absl::Span<const float> values,
    absl::FunctionRef<absl::Status(uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float> values)>
        visit);

// What the trainable values of a checked update are multiplied by.
inline float ClipFactor(const FoldRequest& request, const FoldReport& report) {
  return report.clipped ? static_cast<float>(request.clip_norm / report.norm) : 1.0f;
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_UPDATE_READER_H_
