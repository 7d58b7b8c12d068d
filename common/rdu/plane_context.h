// What the coder knows of a value from the values before it: the magnitudes to its left and above, and how large its
// row and its column have been so far. Integers only, the same in encoder and decoder.
//
// What the rows above say is prepared for a segment of columns at a time, and columns learn a segment at a time, in
// loops without branches; what the row says goes along in a few numbers.
#ifndef THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_
#define THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace thinwire {

// Columns that share one flag for "all zero" in a row.
constexpr size_t kSegmentColumns = 32;

// Magnitudes count up to this in contexts.
constexpr uint32_t kMagnitudeCap = 1u << 14;
// Running means of magnitudes are in units of 2^-12.
constexpr int kMeanBits = 12;

// floor(2 log2 v) + 2 and floor(4 log2 v) + 4, or nearly so, for v >= 4; 0 for 0, ascending.
inline uint32_t HalfLog(uint32_t v) {
  const uint32_t below = 30 - static_cast<uint32_t>(__builtin_clz(v | 2));  // the two top bits are those from here on
  return 2 * below + (v >> below);
}
inline uint32_t QuarterLog(uint32_t v) {
  const uint32_t below = 29 - static_cast<uint32_t>(__builtin_clz(v | 4));
  return 4 * below + (v >> below) + std::min(v, 4u);
}

// A running mean one value later; `to` is the value, in the mean's units.
inline uint32_t Moved(uint32_t mean, uint32_t to, int shift) {
  return static_cast<uint32_t>(static_cast<int32_t>(mean) +
                               ((static_cast<int32_t>(to) - static_cast<int32_t>(mean)) >> shift));
}

// What the values of the row so far say of the next one.
struct RowContext {
  uint32_t left = 0;     // up to kMagnitudeCap
  uint32_t near = 0;     // 4 left + 2 left2, each up to 64
  uint32_t pattern = 0;  // 64 left + 16 left2, each up to 3
  uint32_t nonzero = 0;  // of left and left2
  int sign_left = 0;
  int sign = 0;                           // which sign the last values had: -3 .. 3
  uint32_t fast = 0, slow = 0, mean = 0;  // running means of magnitudes: 8 and 64 values of the row, 1024 of all

  // A value was coded; its magnitude, up to kMagnitudeCap, and its sign, -1 .. 1.
  void Add(uint32_t magnitude, int its_sign) {
    const uint32_t unit = magnitude << kMeanBits;
    near = 4 * std::min(magnitude, 64u) + 2 * std::min(left, 64u);
    pattern = 64 * std::min(magnitude, 3u) + 16 * std::min(left, 3u);
    nonzero = (magnitude != 0 ? 1 : 0) + (left != 0 ? 1 : 0);
    left = magnitude;
    sign_left = its_sign;
    sign = std::clamp(sign + its_sign, -3, 3);
    fast = Moved(fast, unit, 3);
    slow = Moved(slow, unit, 6);
    mean = Moved(mean, unit, 10);
  }
  // A segment of zeros. (One that is not the row's last has more than one value.)
  void AddZeros(size_t count) {
    uint32_t f = fast, s = slow, m = mean;
    for (size_t i = 0; i < count; ++i) {
      f = Moved(f, 0, 3);
      s = Moved(s, 0, 6);
      m = Moved(m, 0, 10);
    }
    *this = {0, 0, 0, 0, 0, sign, f, s, m};
  }
};

// The values of a segment that is being coded, as contexts take them.
struct SegmentValues {
  std::array<uint16_t, kSegmentColumns> magnitudes;
  std::array<int8_t, kSegmentColumns> signs;

  void Set(size_t i, uint32_t magnitude, int sign, RowContext* row) {
    const uint32_t capped = std::min(magnitude, kMagnitudeCap);
    magnitudes[i] = static_cast<uint16_t>(capped);
    signs[i] = static_cast<int8_t>(sign);
    row->Add(capped, sign);
  }
};

// What the rows above say of each column of a segment, in the form that contexts take it in.
struct SegmentContext {
  using Columns = std::array<uint32_t, kSegmentColumns>;

  Columns near;               // 4 above + 2 above2 + above left + above right, each up to 64
  Columns pattern;            // 4 above + above2, each up to 3
  Columns nonzero;            // of above and above2
  Columns above2, above_log;  // above, up to 2; its half logarithm, up to 15
  Columns fast, fast31;       // half logarithm of the mean over 4 rows; the same, up to 31
  Columns slow23, slow31;     // of the mean over 16 rows, up to 23 and 31
  Columns slow_quarter;       // its quarter logarithm
};

// Of one plane of coefficients, coded row by row, left to right. Memory: 19 bytes a column. Not thread-safe.
class PlaneContext {
 public:
  explicit PlaneContext(size_t columns);

  void StartRow();
  const RowContext& row() const { return row_; }
  // Of columns [first, first + count).
  void Prepare(size_t first, size_t count, SegmentContext* segment) const;
  int sign_above(size_t j) const { return sign_above_[j + 2]; }
  // Which sign the last values of the column had: -3 .. 3.
  int column_sign(size_t j) const { return column_sign_[j]; }
  // The mean of the columns' slow running means over [first, first + count).
  uint32_t columns_slow(size_t first, size_t count) const;

  // Columns [first, first + count) of the row, and the row as it is after them.
  void Set(size_t first, size_t count, const SegmentValues& values, const RowContext& row);
  void SetZeros(size_t first, size_t count);

 private:
  std::vector<uint16_t> now_, above_, above2_;  // with two columns of zeros on either side
  std::vector<int8_t> sign_now_, sign_above_;
  std::vector<uint32_t> column_fast_, column_slow_;
  std::vector<int8_t> column_sign_;
  RowContext row_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_
