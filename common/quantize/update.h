// An update as the quantisers see it: the trainable tensors' values, in the model's order. Flat positions count through
// all of them.
#ifndef THINWIRE_COMMON_QUANTIZE_UPDATE_H_
#define THINWIRE_COMMON_QUANTIZE_UPDATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace thinwire {

using UpdateView = absl::Span<const absl::Span<const float>>;
using MutableUpdateView = absl::Span<const absl::Span<float>>;

// Larger values are refused: below it no sum of squares and no rotation overflows, and no update that anybody trains
// with comes near it.
constexpr float kMaxQuantizedMagnitude = 0x1p96f;
constexpr uint64_t kMaxQuantizedValues = uint64_t{1} << 36;
constexpr uint64_t kMaxQuantizedTensors = 100'000;

template <typename View>
uint64_t CountValues(const View& update) {
  uint64_t count = 0;
  for (const auto& tensor : update) count += tensor.size();
  return count;
}

// INVALID_ARGUMENT naming the first value, by tensor and index, that is not finite or beyond kMaxQuantizedMagnitude, or
// for too many tensors or values.
absl::Status CheckQuantizable(UpdateView update);

// relative[i] = sum |x|^M (x - y)^2 / sum |x|^(M+2) for M = exponents[i]: the distortion of M22 of a decoded update,
// relative to sending nothing. Values are scaled to a maximum of 1 before powers; sums in binary64. Tensors of both
// have the same sizes. 0 for an update of zeros that decodes to zeros, infinite if it doesn't.
std::vector<double> RelativeDistortion(UpdateView update, UpdateView decoded, absl::Span<const double> exponents);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_UPDATE_H_
