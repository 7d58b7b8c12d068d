#include "server/aggregate/update_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"
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

// Entries ascend over all frames of an update, so that none comes twice.
class EntryOrder {
 public:
  absl::Status Check(const std::vector<uint64_t>& positions) {
    if (last_.has_value() && positions.front() <= *last_) {
      return absl::InvalidArgumentError(absl::StrCat("an entry at position ", positions.front(),
                                                     " comes behind one at ", *last_, "; positions must ascend"));
    }
    last_ = positions.back();
    return absl::OkStatus();
  }

 private:
  std::optional<uint64_t> last_;
};

absl::Status CheckEntries(const TrainableVector& trained, const UpdateBlock& block, const FixedPoint& fixed_point,
                          const std::string& name) {
  return ForEachRun(trained, block.positions, block.floats,
                    [&](uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float> values) {
                      return CheckBounds(fixed_point, tensor, name, indices.front(), values);
                    });
}

// A block of differences of float buffers.
absl::Status CheckBuffers(const UpdateReader& reader, const Segment& segment, const FixedPoint& fixed_point,
                          const UpdateBlock& block) {
  const uint64_t first = uint64_t{segment.block} * kBlockValues;
  return reader.ForEachBuffer(segment, [&](const TensorVector::Piece& piece) {
    return CheckBounds(fixed_point, piece.tensor, reader.TensorOf(segment).name, first + piece.offset,
                       absl::MakeConstSpan(block.floats).subspan(piece.offset, piece.count));
  });
}

// Adds up the squares of a coded update's values.
absl::Status CheckCoded(const UpdateReader& reader, const FixedPoint& fixed_point, double* squares) {
  return reader.ReadUpdate(SegmentCheck::kHash, [&](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
    *squares += SumOfSquares(values);
    return CheckBounds(fixed_point, tensor.index, tensor.name, 0, values);
  });
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
  return UpdateReader(spec, request, std::move(reader));
}

absl::Status UpdateReader::Read(size_t index, SegmentCheck check, UpdateBlock* out) const {
  TW_RETURN_IF_ERROR(reader_.ReadSegment(index, &out->frame, check));
  const Segment& segment = manifest().segments[index];
  if (TensorOf(segment).dtype == DataType::kInt64) {
    out->ints.resize(segment.count);
    TW_RETURN_IF_ERROR(InSegment(segment, DecodeIntFrame(out->frame, absl::MakeSpan(out->ints))));
    return coded() ? AddBaseCounts(segment, out) : absl::OkStatus();
  }
  out->floats.resize(segment.count);
  out->positions.clear();
  if (const std::optional<uint64_t> dimension = EntriesDimension(TensorOf(segment)); dimension.has_value()) {
    out->positions.resize(segment.count);
    return InSegment(segment, DecodeSparseFrame(out->frame, *dimension, absl::MakeSpan(out->positions),
                                                absl::MakeSpan(out->floats)));
  }
  TW_RETURN_IF_ERROR(InSegment(segment, DecodeFrame(out->frame, absl::MakeSpan(out->floats))));
  const bool is_delta = manifest().representation == Representation::kDelta;
  if (coded() || (is_delta && TensorOf(segment).role == TensorRole::kTrainable)) return absl::OkStatus();
  return SubtractBase(segment, out);
}

bool UpdateReader::coded() const {
  return !spec_->tensors().empty() && UpdateTensorValues(spec_->tensors().front()).has_value();
}

absl::Status UpdateReader::ForEachBuffer(
    const Segment& segment, absl::FunctionRef<absl::Status(const TensorVector::Piece& piece)> visit) const {
  const bool counts = TensorOf(segment).dtype == DataType::kInt64;
  const TensorVector& vector = counts ? form_->buffers->counts : form_->buffers->floats;
  return vector.ForEachPiece(uint64_t{segment.block} * kBlockValues, segment.count, visit);
}

absl::StatusOr<std::string> UpdateReader::ReadPieces(SegmentCheck check, CodecId* codec) const {
  std::string bytes, frame;
  const uint64_t values = *UpdateTensorValues(spec_->tensors().front());
  for (size_t i = 0; i < manifest().segments.size() && manifest().segments[i].tensor == 0; ++i) {
    TW_RETURN_IF_ERROR(reader_.ReadSegment(i, &frame, check));
    const absl::StatusOr<UpdatePiece> piece = ReadUpdateFrame(frame, values);
    if (!piece.ok()) return InSegment(manifest().segments[i], piece.status());
    if (i > 0 && piece->codec != *codec) {
      return InSegment(manifest().segments[i], absl::InvalidArgumentError("a piece of an update of another codec"));
    }
    *codec = piece->codec;
    bytes.append(piece->bytes.data(), piece->bytes.size());
  }
  return bytes;
}

absl::Status UpdateReader::ReadUpdate(SegmentCheck check, UpdateVisitor visit) const {
  if (layout_ == nullptr || form_ == nullptr || !form_->buffers.has_value()) {
    return absl::InvalidArgumentError("an update that is coded whole, which the plan has none of");
  }
  CodecId codec = CodecId::kRdu;
  TW_ASSIGN_OR_RETURN(const std::string bytes, ReadPieces(check, &codec));
  return InSegment(manifest().segments.front(), DecodeUpdateString(codec, bytes, *layout_, visit));
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

absl::Status UpdateReader::AddBaseCounts(const Segment& segment, UpdateBlock* out) const {
  return ForEachBuffer(segment, [&](const TensorVector::Piece& piece) {
    const absl::Status added = AddBaseCounts(piece, out);
    if (added.ok()) return added;
    return absl::InternalError(absl::StrCat("cannot read the version that the update started from: ", added.message()));
  });
}

absl::Status UpdateReader::AddBaseCounts(const TensorVector::Piece& piece, UpdateBlock* out) const {
  for (uint64_t done = 0; done < piece.count;) {
    const uint64_t first = piece.first + done, begin = first % kBlockValues;
    const size_t index = base_->SegmentIndex(piece.tensor, first / kBlockValues);
    if (index == PayloadReader::kNoSegment) return absl::InternalError("it lacks a tensor");
    out->base_ints.resize(base_->manifest().segments[index].count);
    TW_RETURN_IF_ERROR(base_->DecodeInts(index, absl::MakeSpan(out->base_ints)));
    const uint64_t size = std::min<uint64_t>(out->base_ints.size() - begin, piece.count - done);
    for (uint64_t i = 0; i < size; ++i) {  // modulo 2^64
      int64_t& value = out->ints[piece.offset + done + i];
      value = static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(out->base_ints[begin + i]));
    }
    done += size;
  }
  return absl::OkStatus();
}

absl::Status UpdateReader::ReadBase(const Segment& segment, std::vector<float>* out) const {
  out->resize(segment.count);
  const uint32_t tensor = form_ == nullptr ? segment.tensor : form_->base_tensors[segment.tensor];
  const size_t index = base_->SegmentIndex(tensor, segment.block);
  if (index == PayloadReader::kNoSegment) return absl::InternalError("it lacks a tensor");
  return base_->DecodeFloats(index, absl::MakeSpan(*out));
}

absl::Status ForEachRun(
    const TrainableVector& trained, absl::Span<const uint64_t> positions, absl::Span<const float> values,
    absl::FunctionRef<absl::Status(uint32_t, absl::Span<const uint64_t>, absl::Span<const float>)> visit) {
  std::vector<uint64_t> indices;
  for (size_t begin = 0; begin < positions.size();) {
    size_t end = begin;
    indices.clear();
    TW_RETURN_IF_ERROR(trained.ForEachPiece(positions[begin], 1, [&](const TrainableVector::Piece& piece) {
      const uint64_t start = positions[begin] - piece.first;  // of the tensor
      const uint64_t stop = start + trained.size_of(piece.tensor);
      for (; end < positions.size() && positions[end] < stop; ++end) indices.push_back(positions[end] - start);
      return visit(piece.tensor, indices, values.subspan(begin, end - begin));
    }));
    begin = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<FoldReport> CheckUpdate(const UpdateReader& reader, const FoldRequest& request,
                                       const FixedPoint& fixed_point, const TrainableVector* trained) {
  double squares = 0;
  UpdateBlock block;
  EntryOrder order;
  if (reader.coded()) TW_RETURN_IF_ERROR(CheckCoded(reader, fixed_point, &squares));
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    if (reader.coded() && reader.manifest().segments[i].tensor == 0) continue;
    TW_RETURN_IF_ERROR(reader.Read(i, SegmentCheck::kHash, &block));
    const Segment& segment = reader.manifest().segments[i];
    const TensorSpec& tensor = reader.TensorOf(segment);
    if (tensor.dtype != DataType::kFloat32) continue;
    const uint64_t first = uint64_t{segment.block} * kBlockValues;
    if (reader.coded()) {
      TW_RETURN_IF_ERROR(CheckBuffers(reader, segment, fixed_point, block));
    } else if (block.positions.empty()) {
      TW_RETURN_IF_ERROR(CheckBounds(fixed_point, reader.SumTensorOf(segment), tensor.name, first, block.floats));
    } else {
      TW_RETURN_IF_ERROR(order.Check(block.positions));
      TW_RETURN_IF_ERROR(CheckEntries(*trained, block, fixed_point, tensor.name));
    }
    if (tensor.role == TensorRole::kTrainable) squares += SumOfSquares(block.floats);
  }
  FoldReport report;
  report.norm = std::sqrt(squares / (request.form == nullptr ? 1 : request.form->sketch_rows));
  TW_RETURN_IF_ERROR(CheckNorm(report.norm, request.max_norm));
  report.clipped = request.clip_norm > 0 && report.norm > request.clip_norm;
  return report;
}

}  // namespace thinwire
