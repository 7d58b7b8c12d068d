#include "server/aggregate/column_loops.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "common/base/target_clones.h"

namespace thinwire {
namespace {

// Negative floats are in reverse order as integers: all bits but the sign are turned over. Its own inverse.
int32_t Turn(int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

TW_TARGET_CLONES
void CompareExchange(int32_t* __restrict low, int32_t* __restrict high, size_t columns) {
  for (size_t i = 0; i < columns; ++i) {
    const int32_t a = low[i];
    const int32_t b = high[i];
    low[i] = a < b ? a : b;
    high[i] = a < b ? b : a;
  }
}

TW_TARGET_CLONES
void AddRow(const int32_t* keys, size_t columns, double* sums) {
  for (size_t i = 0; i < columns; ++i) {
    sums[i] += static_cast<double>(FloatFromBits(static_cast<uint32_t>(Turn(keys[i]))));
  }
}

TW_TARGET_CLONES
void Divide(const double* sums, double rows, size_t columns, float* out) {
  for (size_t i = 0; i < columns; ++i) out[i] = static_cast<float>(sums[i] / rows);
}

}  // namespace

TW_TARGET_CLONES
void ToSortKeys(absl::Span<const float> values, int32_t* keys) {
  const float* const in = values.data();
  const size_t size = values.size();
  for (size_t i = 0; i < size; ++i) keys[i] = Turn(static_cast<int32_t>(FloatBits(in[i])));
}

float FromSortKey(int32_t key) { return FloatFromBits(static_cast<uint32_t>(Turn(key))); }

void SortColumns(const KeyRows& keys) {
  const auto row = [&](size_t index) { return keys.keys + index * keys.stride; };
  size_t top = 1;
  while (top * 2 < keys.rows) top *= 2;
  for (size_t p = keys.rows < 2 ? 0 : top; p > 0; p /= 2) {
    size_t r = 0;
    size_t d = p;
    for (size_t q = top;; q /= 2) {
      for (size_t i = 0; i + d < keys.rows; ++i) {
        if ((i & p) == r) CompareExchange(row(i), row(i + d), keys.columns);
      }
      if (q == p) break;
      d = q - p;
      r = p;
    }
  }
}

void MeanOfRows(const KeyRows& sorted, size_t first, size_t last, absl::Span<float> out) {
  constexpr size_t kAtOnce = 512;
  std::array<double, kAtOnce> sums;
  for (size_t begin = 0; begin < sorted.columns; begin += kAtOnce) {
    const size_t size = std::min(kAtOnce, sorted.columns - begin);
    sums.fill(-0.0);  // the one number that adds to nothing else's bits
    for (size_t row = first; row < last; ++row) AddRow(sorted.keys + row * sorted.stride + begin, size, sums.data());
    Divide(sums.data(), static_cast<double>(last - first), size, out.data() + begin);
  }
}

}  // namespace thinwire
