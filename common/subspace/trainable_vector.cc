#include "common/subspace/trainable_vector.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {

TensorVector::TensorVector(const ModelSpec& model, TensorRole role, DataType dtype) {
  for (size_t i = 0; i < model.tensors().size(); ++i) {
    const TensorSpec& tensor = model.tensors()[i];
    if (tensor.role != role || tensor.dtype != dtype || tensor.count() == 0) continue;
    const uint64_t begin = size();
    tensors_.push_back(static_cast<uint32_t>(i));
    ends_.push_back(begin + tensor.count());
  }
}

uint64_t TensorVector::size_of(uint32_t tensor) const {
  const auto i = static_cast<size_t>(std::lower_bound(tensors_.begin(), tensors_.end(), tensor) - tensors_.begin());
  return i == 0 ? ends_[0] : ends_[i] - ends_[i - 1];
}

absl::Status TensorVector::ForEachPiece(uint64_t first, uint64_t count,
                                        absl::FunctionRef<absl::Status(const Piece&)> visit) const {
  if (first > size() || count > size() - first) {
    return absl::InvalidArgumentError(
        absl::StrCat("values ", first, " to ", first + count, " were asked for; there are ", size()));
  }
  size_t i = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), first) - ends_.begin());
  for (uint64_t offset = 0; offset < count; ++i) {
    const uint64_t begin = i == 0 ? 0 : ends_[i - 1], at = first + offset;
    const uint64_t piece = std::min(count - offset, ends_[i] - at);
    TW_RETURN_IF_ERROR(visit({tensors_[i], at - begin, piece, offset}));
    offset += piece;
  }
  return absl::OkStatus();
}

absl::Status TensorVector::Read(BlockSource& source, uint64_t first, absl::Span<float> out) const {
  return ForEachPiece(first, out.size(), [&](const Piece& piece) {
    return source.ReadFloats(piece.tensor, piece.first, out.subspan(piece.offset, piece.count));
  });
}

}  // namespace thinwire
