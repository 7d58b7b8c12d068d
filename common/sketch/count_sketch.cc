#include "common/sketch/count_sketch.h"

#include <algorithm>

#include "common/base/rng.h"

namespace thinwire {

void CountSketch::Find(uint64_t position, Cells* cells) const {
  PhiloxBlock words{};
  for (uint32_t row = 0; row < rows_; ++row) {
    if (row % 4 == 0) {
      words = Philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), row / 4, 0}, seed_);
    }
    const uint32_t word = words[row % 4];
    const uint64_t column = (uint64_t{word >> 1} * columns_) >> 31;
    (*cells)[row] = {static_cast<size_t>(row * columns_ + column), (word & 1) != 0};
  }
}

void CountSketch::Add(uint64_t first, absl::Span<const float> values, absl::Span<double> table) const {
  Cells cells;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) continue;
    Find(first + i, &cells);
    for (uint32_t row = 0; row < rows_; ++row) {
      const double value = values[i];
      table[cells[row].index] += cells[row].negative ? -value : value;
    }
  }
}

float CountSketch::Estimate(absl::Span<const float> table, uint64_t position) const {
  Cells cells;
  Find(position, &cells);
  std::array<float, SketchPlan::kMaxRows> seen{};
  for (uint32_t row = 0; row < rows_; ++row) {
    const float value = table[cells[row].index];
    seen[row] = cells[row].negative ? -value : value;
  }
  std::sort(seen.begin(), seen.begin() + rows_);
  const float upper = seen[rows_ / 2];
  return rows_ % 2 == 1 ? upper : (seen[rows_ / 2 - 1] + upper) * 0.5f;
}

uint64_t SketchSeed(uint64_t run_seed) { return DeriveKey({run_seed, KeyWord("count sketch")}); }

}  // namespace thinwire
