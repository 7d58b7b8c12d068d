#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"
#include "server/aggregate/folder.h"
#include "server/aggregate/sum_loops.h"

namespace thinwire {
namespace {

// The values of an update relative to R, segment by segment. Holds one block of each.
class RelativeReader {
 public:
  static absl::StatusOr<RelativeReader> Open(const ModelSpec& spec, const FoldRequest& request) {
    TW_ASSIGN_OR_RETURN(PayloadReader reader, PayloadReader::Open(request.path, request.payload, spec));
    return RelativeReader(spec, request, std::move(reader));
  }

  const Manifest& manifest() const { return reader_.manifest(); }
  const TensorSpec& TensorOf(const Segment& segment) const { return spec_.tensors()[segment.tensor]; }
  absl::Span<const float> floats() const { return floats_; }
  absl::Span<const int64_t> ints() const { return ints_; }
  // Multiplies what Read has given. Element by element, so that the result is the same on every machine.
  void Scale(float factor) {
    for (float& value : floats_) value *= factor;
  }

  absl::Status Read(size_t index, SegmentCheck check) {
    TW_RETURN_IF_ERROR(reader_.ReadSegment(index, &frame_, check));
    const Segment& segment = manifest().segments[index];
    if (TensorOf(segment).dtype == DataType::kInt64) {
      ints_.resize(segment.count);
      return InSegment(index, DecodeIntFrame(frame_, absl::MakeSpan(ints_)));
    }
    floats_.resize(segment.count);
    TW_RETURN_IF_ERROR(InSegment(index, DecodeFrame(frame_, absl::MakeSpan(floats_))));
    const bool is_delta = manifest().representation == Representation::kDelta;
    if (is_delta && TensorOf(segment).role == TensorRole::kTrainable) return absl::OkStatus();
    return SubtractBase(segment);
  }

 private:
  RelativeReader(const ModelSpec& spec, const FoldRequest& request, PayloadReader reader)
      : spec_(spec), base_(request.base), reader_(std::move(reader)) {}

  absl::Status InSegment(size_t index, const absl::Status& status) const {
    if (status.ok()) return status;
    const Segment& segment = manifest().segments[index];
    return absl::Status(status.code(), absl::StrCat("tensor '", TensorOf(segment).name, "' block ", segment.block, ": ",
                                                    status.message()));
  }

  absl::Status SubtractBase(const Segment& segment) {
    base_floats_.resize(segment.count);
    const absl::Status read = ReadBase(segment);
    if (!read.ok()) {  // not the update's fault
      return absl::InternalError(
          absl::StrCat("cannot read the version that the update started from: ", read.message()));
    }
    for (size_t i = 0; i < floats_.size(); ++i) floats_[i] -= base_floats_[i];
    return absl::OkStatus();
  }

  absl::Status ReadBase(const Segment& segment) {
    const size_t index = base_->SegmentIndex(segment.tensor, segment.block);
    if (index == PayloadReader::kNoSegment) return absl::InternalError("it lacks a tensor");
    return base_->DecodeFloats(index, absl::MakeSpan(base_floats_));
  }

  const ModelSpec& spec_;
  const PayloadReader* base_;
  PayloadReader reader_;
  std::string frame_;
  std::vector<float> floats_;
  std::vector<float> base_floats_;
  std::vector<int64_t> ints_;
};

absl::Status CheckOrigin(const Manifest& manifest, const FoldRequest& request) {
  if (manifest.representation != Representation::kDelta && manifest.representation != Representation::kModel) {
    return absl::InvalidArgumentError("an update is a delta or a model, this payload is neither");
  }
  if (manifest.base_id != request.base_id) {
    return absl::InvalidArgumentError(absl::StrCat("the update started from payload ", manifest.base_id.Hex(),
                                                   ", this round's is ", request.base_id.Hex()));
  }
  return absl::OkStatus();
}

absl::Status CheckNorm(double norm, double limit) {
  if (norm <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the update's L2 norm is ", norm, ", up to ", limit, " is accepted (aggregation.max_update_norm)"));
}

// The first read: nothing is changed. Returns the norm.
absl::StatusOr<double> CheckValues(RelativeReader& reader, const Accumulator& accumulator) {
  double squares = 0;
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    TW_RETURN_IF_ERROR(reader.Read(i, SegmentCheck::kHash));
    const Segment& segment = reader.manifest().segments[i];
    const TensorSpec& tensor = reader.TensorOf(segment);
    if (tensor.dtype != DataType::kFloat32) continue;
    const uint64_t first = uint64_t{segment.block} * kBlockValues;
    TW_RETURN_IF_ERROR(accumulator.CheckFloats(segment.tensor, first, reader.floats()));
    if (tensor.role == TensorRole::kTrainable) squares += SumOfSquares(reader.floats());
  }
  return std::sqrt(squares);
}

// The second read. Trainable values are multiplied by `factor`.
absl::Status AddValues(RelativeReader& reader, uint64_t weight, float factor, Accumulator* accumulator) {
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    TW_RETURN_IF_ERROR(reader.Read(i, SegmentCheck::kFrameOnly));
    const Segment& segment = reader.manifest().segments[i];
    const uint64_t first = uint64_t{segment.block} * kBlockValues;
    if (reader.TensorOf(segment).dtype == DataType::kInt64) {
      accumulator->MaxInts(segment.tensor, first, reader.ints());
    } else {
      if (factor != 1 && reader.TensorOf(segment).role == TensorRole::kTrainable) reader.Scale(factor);
      accumulator->AddFloats(segment.tensor, first, reader.floats(), weight);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FoldReport> FoldUpdate(const ModelSpec& spec, const FoldRequest& request, Accumulator* accumulator) {
  if (request.base == nullptr) return absl::InternalError("a fold needs the payload that the update started from");
  TW_ASSIGN_OR_RETURN(RelativeReader reader, RelativeReader::Open(spec, request));
  TW_RETURN_IF_ERROR(CheckOrigin(reader.manifest(), request));
  FoldReport report;
  TW_ASSIGN_OR_RETURN(report.norm, CheckValues(reader, *accumulator));
  TW_RETURN_IF_ERROR(CheckNorm(report.norm, request.max_norm));
  TW_RETURN_IF_ERROR(accumulator->Admit(request.weight));
  report.clipped = request.clip_norm > 0 && report.norm > request.clip_norm;
  const float factor = report.clipped ? static_cast<float>(request.clip_norm / report.norm) : 1.0f;
  const absl::Status added = AddValues(reader, request.weight, factor, accumulator);
  if (!added.ok()) {
    accumulator->Spoil();
    return absl::InternalError(
        absl::StrCat("the update passed its check but could not be read again: ", added.message()));
  }
  accumulator->CountUpdate(request.weight);
  return report;
}

}  // namespace thinwire
