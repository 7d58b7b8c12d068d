#include "server/aggregate/update_reader.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"
#include "server/aggregate/sum_loops.h"

namespace thinwire {
namespace {

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

}  // namespace

absl::StatusOr<UpdateReader> UpdateReader::Open(const ModelSpec& spec, const FoldRequest& request) {
  if (request.base == nullptr) return absl::InternalError("a fold needs the payload that the update started from");
  TW_ASSIGN_OR_RETURN(PayloadReader reader, PayloadReader::Open(request.path, request.payload, spec));
  TW_RETURN_IF_ERROR(CheckOrigin(reader.manifest(), request));
  return UpdateReader(spec, request.base, std::move(reader));
}

absl::Status UpdateReader::Read(size_t index, SegmentCheck check, UpdateBlock* out) const {
  TW_RETURN_IF_ERROR(reader_.ReadSegment(index, &out->frame, check));
  const Segment& segment = manifest().segments[index];
  if (TensorOf(segment).dtype == DataType::kInt64) {
    out->ints.resize(segment.count);
    return InSegment(segment, DecodeIntFrame(out->frame, absl::MakeSpan(out->ints)));
  }
  out->floats.resize(segment.count);
  TW_RETURN_IF_ERROR(InSegment(segment, DecodeFrame(out->frame, absl::MakeSpan(out->floats))));
  const bool is_delta = manifest().representation == Representation::kDelta;
  if (is_delta && TensorOf(segment).role == TensorRole::kTrainable) return absl::OkStatus();
  return SubtractBase(segment, out);
}

absl::Status UpdateReader::InSegment(const Segment& segment, const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("tensor '", TensorOf(segment).name, "' block ", segment.block, ": ",
                                                  status.message()));
}

absl::Status UpdateReader::SubtractBase(const Segment& segment, UpdateBlock* out) const {
  const absl::Status read = ReadBase(segment, &out->base);
  if (!read.ok()) {  // not the update's fault
    return absl::InternalError(absl::StrCat("cannot read the version that the update started from: ", read.message()));
  }
  for (size_t i = 0; i < out->floats.size(); ++i) out->floats[i] -= out->base[i];
  return absl::OkStatus();
}

absl::Status UpdateReader::ReadBase(const Segment& segment, std::vector<float>* out) const {
  out->resize(segment.count);
  const size_t index = base_->SegmentIndex(segment.tensor, segment.block);
  if (index == PayloadReader::kNoSegment) return absl::InternalError("it lacks a tensor");
  return base_->DecodeFloats(index, absl::MakeSpan(*out));
}

absl::StatusOr<FoldReport> CheckUpdate(const UpdateReader& reader, const FoldRequest& request,
                                       const FixedPoint& fixed_point) {
  double squares = 0;
  UpdateBlock block;
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    TW_RETURN_IF_ERROR(reader.Read(i, SegmentCheck::kHash, &block));
    const Segment& segment = reader.manifest().segments[i];
    const TensorSpec& tensor = reader.TensorOf(segment);
    if (tensor.dtype != DataType::kFloat32) continue;
    const uint64_t first = uint64_t{segment.block} * kBlockValues;
    TW_RETURN_IF_ERROR(CheckBounds(fixed_point, segment.tensor, tensor.name, first, block.floats));
    if (tensor.role == TensorRole::kTrainable) squares += SumOfSquares(block.floats);
  }
  FoldReport report;
  report.norm = std::sqrt(squares);
  TW_RETURN_IF_ERROR(CheckNorm(report.norm, request.max_norm));
  report.clipped = request.clip_norm > 0 && report.norm > request.clip_norm;
  return report;
}

}  // namespace thinwire
