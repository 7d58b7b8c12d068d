// The inner loops of median and trimmed mean: many columns at once, one row per update. Results are the same on every
// machine and instruction set, and for every order of the rows.
#ifndef THINWIRE_SERVER_AGGREGATE_COLUMN_LOOPS_H_
#define THINWIRE_SERVER_AGGREGATE_COLUMN_LOOPS_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace thinwire {

// Floats that are not NaN as integers of the same order, -0 before +0: equal keys are equal bits, so that sorting
// leaves nothing to chance. The integers go back the same way.
void ToSortKeys(absl::Span<const float> values, int32_t* keys);
float FromSortKey(int32_t key);

// A matrix of keys: `rows` of them, `stride` apart, each with `columns` keys. The largest tile worked on at once is
// left to the caller, who knows what fits a cache.
struct KeyRows {
  int32_t* keys = nullptr;
  size_t rows = 0;
  size_t stride = 0;
  size_t columns = 0;
};

// Sorts every column, the smallest key in row 0. Batcher's merge exchange (Knuth, The Art of Computer Programming 3,
// 5.2.2, algorithm M): which rows are compared does not depend on their contents, so that columns go in SIMD lanes.
void SortColumns(const KeyRows& keys);

// The mean of sorted rows [first, last), which are not none: summed in double, smallest first, rounded once. With one
// row its bits stay as they are; with equal values these.
void MeanOfRows(const KeyRows& sorted, size_t first, size_t last, absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_COLUMN_LOOPS_H_
