// Lloyd-Max levels of a standard normal variable at 1 to 8 bits: what EDEN quantises rotated values with. Both ends
// have them as constants, which a test compares with LloydLevels.
#ifndef THINWIRE_COMMON_QUANTIZE_GAUSSIAN_LEVELS_H_
#define THINWIRE_COMMON_QUANTIZE_GAUSSIAN_LEVELS_H_

#include "absl/types/span.h"

namespace thinwire {

constexpr int kMaxGaussianBits = 8;

// The 2^(bits-1) magnitudes, ascending; the levels are these and their negatives. 1 <= bits <= kMaxGaussianBits.
absl::Span<const float> GaussianLevels(int bits);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_GAUSSIAN_LEVELS_H_
