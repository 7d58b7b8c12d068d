// The inner loops over an update's values. Their results are the same on every machine and instruction set.
#ifndef THINWIRE_SERVER_AGGREGATE_SUM_LOOPS_H_
#define THINWIRE_SERVER_AGGREGATE_SUM_LOOPS_H_

#include <cstdint>

#include "absl/types/span.h"

namespace thinwire {

// |value * scale| may be up to 2^kMaxRoundedBits for the rounding in AddRounded to hold.
constexpr int kMaxRoundedBits = 51;

// The bit pattern of the largest magnitude; above 0x7f800000 there is a NaN.
uint32_t LargestMagnitudeBits(absl::Span<const float> values);

// The sum of squares in a fixed order: eight running sums, added up pairwise at the end.
double SumOfSquares(absl::Span<const float> values);

// sums[i] += weight * (values[i] * scale rounded to the nearest integer, ties to even). Nothing may overflow.
void AddRounded(absl::Span<const float> values, double scale, int64_t weight, int64_t* sums);

// out[i] = sums[i] / weight * quantum.
void ScaleSums(const int64_t* sums, double weight, double quantum, absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_SUM_LOOPS_H_
