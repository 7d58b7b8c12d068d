// Count sketch (Charikar, Chen, Farach-Colton 2002, "Finding frequent items in data streams"): a table of rows x
// columns to which every entry of a long vector is added, once in each row, in a column and with a sign that hashes of
// its position give. A sketch is linear in its vector. An entry is estimated as the median over the rows of what its
// cells hold; large ones come out well when columns are many against them.
//
// Row r puts position i into column floor(h columns / 2^31), h being the upper 31 bits of word r mod 4 of
// Philox4x32({i mod 2^32, i div 2^32, r div 4, 0}, seed); the sign is minus if the lowest bit is 1. Integers only, and
// additions in ascending order of positions: the same vector gives the same table on every machine.
#ifndef THINWIRE_COMMON_SKETCH_COUNT_SKETCH_H_
#define THINWIRE_COMMON_SKETCH_COUNT_SKETCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/codec/sketch_plan.h"

namespace thinwire {

// Immutable; thread-safe. Tables have row after row.
class CountSketch {
 public:
  // `plan` has passed Validate.
  CountSketch(const SketchPlan& plan, uint64_t seed) : rows_(plan.rows), columns_(plan.columns), seed_(seed) {}

  size_t table_size() const { return rows_ * columns_; }
  // Adds a vector's values at positions `first` and on to a table.
  void Add(uint64_t first, absl::Span<const float> values, absl::Span<double> table) const;
  // What the entry at `position` seems to be. Of an even number of rows, the mean of the two in the middle.
  float Estimate(absl::Span<const float> table, uint64_t position) const;

  // A cell that a position falls into.
  struct Cell {
    size_t index;
    bool negative;
  };
  using Cells = std::array<Cell, SketchPlan::kMaxRows>;
  // One for each row; the others are left as they are.
  void Find(uint64_t position, Cells* cells) const;
  uint32_t rows() const { return rows_; }

 private:
  const uint32_t rows_;
  const uint64_t columns_;
  const uint64_t seed_;
};

// The seed that a run's sketches share: they are added up over rounds.
uint64_t SketchSeed(uint64_t run_seed);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SKETCH_COUNT_SKETCH_H_
