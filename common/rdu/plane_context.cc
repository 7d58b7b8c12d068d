#include "common/rdu/plane_context.h"

#include "common/base/target_clones.h"

namespace thinwire {
namespace {

// Of `count` columns: their magnitudes in the two rows above, with those beside them, and their running means.
TW_TARGET_CLONES void PrepareColumns(const uint16_t* __restrict above, const uint16_t* __restrict above2,
                                     const uint32_t* __restrict fast, const uint32_t* __restrict slow, size_t count,
                                     SegmentContext* __restrict segment) {
  const uint16_t* const left = above - 1;  // rows have a border
  const uint16_t* const right = above + 1;
  const auto capped = [](uint32_t v, uint32_t cap) { return std::min(v, cap); };
  for (size_t i = 0; i < count; ++i) {
    const uint32_t a = above[i], a2 = above2[i], corners = capped(left[i], 64) + capped(right[i], 64);
    segment->near[i] = 4 * capped(a, 64) + 2 * capped(a2, 64) + corners;
    segment->pattern[i] = 4 * capped(a, 3) + capped(a2, 3);
    segment->nonzero[i] = capped(a, 1) + capped(a2, 1);
    segment->above2[i] = capped(a, 2);
    segment->above_log[i] = capped(HalfLog(a), 15);
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t fast_log = HalfLog(fast[i]), slow_log = HalfLog(slow[i]);
    segment->fast[i] = fast_log;
    segment->fast31[i] = capped(fast_log, 31);
    segment->slow23[i] = capped(slow_log, 23);
    segment->slow31[i] = capped(slow_log, 31);
    segment->slow_quarter[i] = QuarterLog(slow[i]);
  }
}

TW_TARGET_CLONES void MoveColumns(const uint16_t* __restrict magnitudes, const int8_t* __restrict signs, size_t count,
                                  uint32_t* __restrict fast, uint32_t* __restrict slow,
                                  int8_t* __restrict column_sign) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t unit = static_cast<uint32_t>(magnitudes[i]) << kMeanBits;
    fast[i] = Moved(fast[i], unit, 2);
    slow[i] = Moved(slow[i], unit, 4);
  }
  for (size_t i = 0; i < count; ++i) {
    column_sign[i] = static_cast<int8_t>(std::clamp<int>(column_sign[i] + signs[i], -3, 3));
  }
}

TW_TARGET_CLONES void ZeroColumns(size_t count, uint32_t* __restrict fast, uint32_t* __restrict slow) {
  for (size_t i = 0; i < count; ++i) {
    fast[i] = Moved(fast[i], 0, 2);
    slow[i] = Moved(slow[i], 0, 4);
  }
}

}  // namespace

PlaneContext::PlaneContext(size_t columns)
    : now_(columns + 4),
      above_(columns + 4),
      above2_(columns + 4),
      sign_now_(columns + 4),
      sign_above_(columns + 4),
      column_fast_(columns),
      column_slow_(columns),
      column_sign_(columns) {}

void PlaneContext::StartRow() {
  above2_.swap(above_);
  above_.swap(now_);
  sign_above_.swap(sign_now_);
  std::fill(now_.begin(), now_.end(), 0);
  std::fill(sign_now_.begin(), sign_now_.end(), 0);
  const uint32_t mean = row_.mean;
  row_ = RowContext();
  row_.fast = row_.slow = row_.mean = mean;
}

void PlaneContext::Prepare(size_t first, size_t count, SegmentContext* segment) const {
  PrepareColumns(&above_[first + 2], &above2_[first + 2], &column_fast_[first], &column_slow_[first], count, segment);
}

uint32_t PlaneContext::columns_slow(size_t first, size_t count) const {
  uint64_t sum = 0;
  for (size_t j = first; j < first + count; ++j) sum += column_slow_[j];
  return static_cast<uint32_t>(sum / std::max<size_t>(count, 1));
}

void PlaneContext::Set(size_t first, size_t count, const SegmentValues& values, const RowContext& row) {
  const uint16_t* const magnitudes = values.magnitudes.data();
  const int8_t* const signs = values.signs.data();
  std::copy(magnitudes, magnitudes + count, &now_[first + 2]);
  std::copy(signs, signs + count, &sign_now_[first + 2]);
  MoveColumns(magnitudes, signs, count, &column_fast_[first], &column_slow_[first], &column_sign_[first]);
  row_ = row;
}

void PlaneContext::SetZeros(size_t first, size_t count) {
  ZeroColumns(count, &column_fast_[first], &column_slow_[first]);
  row_.AddZeros(count);
}

}  // namespace thinwire
