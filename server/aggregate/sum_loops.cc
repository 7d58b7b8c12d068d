#include "server/aggregate/sum_loops.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "common/base/bytes.h"
#include "common/base/target_clones.h"

namespace thinwire {
namespace {

// Adding it to a double of magnitude <= 2^51 leaves the nearest integer (ties to even) in the low bits of the sum.
constexpr double kRoundToInteger = 6755399441055744.0;  // 1.5 * 2^52
static_assert(kMaxRoundedBits <= 51);

int64_t Bits(double value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

TW_TARGET_CLONES
uint32_t LargestMagnitudeBits(absl::Span<const float> values) {
  const float* const in = values.data();
  const size_t size = values.size();
  uint32_t largest = 0;
  for (size_t i = 0; i < size; ++i) largest = std::max(largest, FloatBits(in[i]) & 0x7fffffffu);
  return largest;
}

TW_TARGET_CLONES
double SumOfSquares(absl::Span<const float> values) {
  constexpr size_t kLanes = 8;
  double lanes[kLanes] = {};
  const size_t whole = values.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      lanes[lane] += value * value;
    }
  }
  for (size_t i = whole; i < values.size(); ++i) {
    const double value = values[i];
    lanes[i - whole] += value * value;
  }
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

TW_TARGET_CLONES
void AddRounded(absl::Span<const float> values, double scale, int64_t weight, int64_t* sums) {
  const float* const in = values.data();
  const size_t size = values.size();
  const int64_t zero = Bits(kRoundToInteger);
  for (size_t i = 0; i < size; ++i) sums[i] += (Bits(in[i] * scale + kRoundToInteger) - zero) * weight;
}

TW_TARGET_CLONES
void ScaleSums(const int64_t* sums, double weight, double quantum, absl::Span<float> out) {
  float* const to = out.data();
  const size_t size = out.size();
  for (size_t i = 0; i < size; ++i) to[i] = static_cast<float>(static_cast<double>(sums[i]) / weight * quantum);
}

}  // namespace thinwire
