// The sum of squares in a fixed order: eight running sums, added up pairwise at the end, so that the result is the same
// on every machine and instruction set.
#ifndef THINWIRE_SERVER_AGGREGATE_SUM_OF_SQUARES_H_
#define THINWIRE_SERVER_AGGREGATE_SUM_OF_SQUARES_H_

#include <cstddef>

#include "absl/types/span.h"

namespace thinwire {

inline double SumOfSquares(absl::Span<const float> values) {
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

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_SUM_OF_SQUARES_H_
