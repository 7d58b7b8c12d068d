#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/subspace/trainable_vector.h"
#include "server/aggregate/folder.h"
#include "server/aggregate/update_reader.h"

namespace thinwire {
namespace {

absl::Status AddEntries(const UpdateBlock& block, const TrainableVector& trained, uint64_t weight,
                        Accumulator* accumulator) {
  return ForEachRun(trained, block.positions, block.floats,
                    [&](uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float> values) {
                      accumulator->AddEntries(tensor, indices, values, weight);
                      return absl::OkStatus();
                    });
}

// A tensor of a coded update.
absl::Status AddTensor(const UpdateLayout::Tensor& tensor, absl::Span<float> values, const FoldRequest& request,
                       float factor, Accumulator* accumulator) {
  if (factor != 1) {
    for (float& value : values) value *= factor;
  }
  accumulator->AddFloats(tensor.index, request.first_coordinate, values, request.weight);
  return absl::OkStatus();
}

// A block of the buffers of a coded update: floats are differences to R, integers the values.
absl::Status AddBuffers(const UpdateReader& reader, const Segment& segment, const UpdateBlock& block, uint64_t weight,
                        Accumulator* accumulator) {
  const bool counts = reader.TensorOf(segment).dtype == DataType::kInt64;
  return reader.ForEachBuffer(segment, [&](const TensorVector::Piece& piece) {
    if (counts) {
      accumulator->MaxInts(piece.tensor, piece.first,
                           absl::MakeConstSpan(block.ints).subspan(piece.offset, piece.count));
    } else {
      accumulator->AddFloats(piece.tensor, piece.first,
                             absl::MakeConstSpan(block.floats).subspan(piece.offset, piece.count), weight);
    }
    return absl::OkStatus();
  });
}

// The second read. Trainable values are multiplied by `factor`.
absl::Status AddValues(const UpdateReader& reader, const FoldRequest& request, float factor,
                       const TrainableVector* trained, Accumulator* accumulator) {
  UpdateBlock block;
  if (reader.coded()) {
    const auto add = [&](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
      return AddTensor(tensor, values, request, factor, accumulator);
    };
    TW_RETURN_IF_ERROR(reader.ReadUpdate(SegmentCheck::kFrameOnly, add));
  }
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    if (reader.coded() && reader.manifest().segments[i].tensor == 0) continue;
    TW_RETURN_IF_ERROR(reader.Read(i, SegmentCheck::kFrameOnly, &block));
    const Segment& segment = reader.manifest().segments[i];
    if (reader.coded()) {
      TW_RETURN_IF_ERROR(AddBuffers(reader, segment, block, request.weight, accumulator));
      continue;
    }
    const uint64_t first = uint64_t{segment.block} * kBlockValues;
    if (reader.TensorOf(segment).dtype == DataType::kInt64) {
      accumulator->MaxInts(reader.SumTensorOf(segment), first, block.ints);
      continue;
    }
    const bool trainable = reader.TensorOf(segment).role == TensorRole::kTrainable;
    if (factor != 1 && trainable) block.Scale(factor);
    if (!block.positions.empty()) {
      TW_RETURN_IF_ERROR(AddEntries(block, *trained, request.weight, accumulator));
    } else {
      accumulator->AddFloats(reader.SumTensorOf(segment), first + (trainable ? request.first_coordinate : 0),
                             block.floats, request.weight);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FoldReport> FoldUpdate(const ModelSpec& spec, const FoldRequest& request, Accumulator* accumulator) {
  TW_ASSIGN_OR_RETURN(const UpdateReader reader, UpdateReader::Open(spec, request));
  const TrainableVector trained(accumulator->spec());
  TW_ASSIGN_OR_RETURN(const FoldReport report, CheckUpdate(reader, request, accumulator->fixed_point(), &trained));
  TW_RETURN_IF_ERROR(accumulator->Admit(request.weight));
  const absl::Status added = AddValues(reader, request, ClipFactor(request, report), &trained, accumulator);
  if (!added.ok()) {
    accumulator->Spoil();
    return absl::InternalError(
        absl::StrCat("the update passed its check but could not be read again: ", added.message()));
  }
  accumulator->CountUpdate(request.weight);
  return report;
}

}  // namespace thinwire
