#include "common/update/buffer_differences.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"

namespace thinwire {
namespace {

// All values of the tensors of a vector; `read` fills those of one block of a tensor.
template <typename Value, typename Read>
absl::StatusOr<std::vector<Value>> AllOf(const TensorVector& vector, Read read) {
  std::vector<Value> values(vector.size());
  const auto read_tensor = [&](const TensorVector::Piece& piece) {
    for (uint64_t first = 0; first < piece.count; first += kBlockValues) {
      const uint64_t size = std::min<uint64_t>(kBlockValues, piece.count - first);
      TW_RETURN_IF_ERROR(read(piece.tensor, first, absl::MakeSpan(values).subspan(piece.offset + first, size)));
    }
    return absl::OkStatus();
  };
  TW_RETURN_IF_ERROR(vector.ForEachPiece(0, values.size(), read_tensor));
  return values;
}

absl::StatusOr<std::vector<float>> AllFloats(const TensorVector& vector, BlockSource& source) {
  return AllOf<float>(vector, [&source](uint32_t tensor, uint64_t first, absl::Span<float> out) {
    return source.ReadFloats(tensor, first, out);
  });
}

absl::StatusOr<std::vector<int64_t>> AllInts(const TensorVector& vector, BlockSource& source) {
  return AllOf<int64_t>(vector, [&source](uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
    return source.ReadInts(tensor, first, out);
  });
}

absl::Status CheckFinite(const ModelSpec& model, const TensorVector& vector, const std::vector<float>& base,
                         const std::vector<float>& trained) {
  return vector.ForEachPiece(0, vector.size(), [&](const TensorVector::Piece& piece) {
    for (uint64_t i = 0; i < piece.count; ++i) {
      const float value = trained[piece.offset + i], difference = value - base[piece.offset + i];
      if (std::isfinite(difference)) continue;
      return absl::InvalidArgumentError(absl::StrCat("buffer '", model.tensors()[piece.tensor].name, "' is ", value,
                                                     " at value ", i, ", ", difference,
                                                     " from the one it started from; both must be finite"));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<float>> FloatDifferences(const ModelSpec& model, const TensorVector& vector,
                                                    BlockSource& base, BlockSource& trained) {
  TW_ASSIGN_OR_RETURN(const std::vector<float> before, AllFloats(vector, base));
  TW_ASSIGN_OR_RETURN(const std::vector<float> after, AllFloats(vector, trained));
  TW_RETURN_IF_ERROR(CheckFinite(model, vector, before, after));
  std::vector<float> differences(after.size());
  for (size_t first = 0; first < after.size(); first += kBlockValues) {
    TW_RETURN_IF_ERROR(RoundBufferDifferences(absl::MakeConstSpan(before).subspan(first, kBlockValues),
                                              absl::MakeConstSpan(after).subspan(first, kBlockValues),
                                              absl::MakeSpan(differences).subspan(first, kBlockValues)));
  }
  return differences;
}

absl::StatusOr<std::vector<int64_t>> CountDifferences(const TensorVector& vector, BlockSource& base,
                                                      BlockSource& trained) {
  TW_ASSIGN_OR_RETURN(const std::vector<int64_t> before, AllInts(vector, base));
  TW_ASSIGN_OR_RETURN(std::vector<int64_t> differences, AllInts(vector, trained));
  for (size_t i = 0; i < differences.size(); ++i) {
    differences[i] = static_cast<int64_t>(static_cast<uint64_t>(differences[i]) - static_cast<uint64_t>(before[i]));
  }
  return differences;
}

}  // namespace

absl::StatusOr<BufferDifferences> BufferDifferences::Create(const ModelSpec& model, BlockSource& base,
                                                            BlockSource& trained) {
  const BufferVectors vectors(model);
  BufferDifferences differences;
  TW_ASSIGN_OR_RETURN(differences.floats_, FloatDifferences(model, vectors.floats, base, trained));
  TW_ASSIGN_OR_RETURN(differences.counts_, CountDifferences(vectors.counts, base, trained));
  return differences;
}

absl::Status BufferDifferences::ReadFloats(uint32_t /*tensor*/, uint64_t first, absl::Span<float> out) {
  std::copy_n(floats_.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
  return absl::OkStatus();
}

absl::Status BufferDifferences::ReadInts(uint32_t /*tensor*/, uint64_t first, absl::Span<int64_t> out) {
  std::copy_n(counts_.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
  return absl::OkStatus();
}

}  // namespace thinwire
