// What the coder knows of a value from the values before it: the magnitudes to its left and above, and how large its
// row and its column have been so far. Integers only, the same in encoder and decoder.
#ifndef THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_
#define THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_

#include <algorithm>
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
  if (v < 2) return v;
  const uint32_t e = 31 - static_cast<uint32_t>(__builtin_clz(v));
  return 2 * e + ((v >> (e - 1)) & 1);
}
inline uint32_t QuarterLog(uint32_t v) {
  if (v < 4) return 2 * v;
  const uint32_t e = 31 - static_cast<uint32_t>(__builtin_clz(v));
  return 4 * e + ((v >> (e - 2)) & 3);
}

// Of one plane of coefficients, coded row by row, left to right. Memory: 19 bytes a column. Not thread-safe.
class PlaneContext {
 public:
  explicit PlaneContext(size_t columns);

  void StartRow();
  // The value at column j, the next one of the row.
  void Set(size_t j, uint32_t magnitude, bool negative);
  // Columns [first, last) are zero.
  void SetZeros(size_t first, size_t last);

  uint32_t left(size_t j) const { return now_[j + 1]; }
  uint32_t left2(size_t j) const { return now_[j]; }
  uint32_t above(size_t j) const { return above_[j + 2]; }
  uint32_t above_left(size_t j) const { return above_[j + 1]; }
  uint32_t above_right(size_t j) const { return above_[j + 3]; }
  uint32_t above2(size_t j) const { return above2_[j + 2]; }
  int sign_left(size_t j) const { return sign_now_[j + 1]; }
  int sign_above(size_t j) const { return sign_above_[j + 2]; }
  // Which sign the last values of the column and of the row had: -3 .. 3.
  int column_sign(size_t j) const { return column_sign_[j]; }
  int row_sign() const { return row_sign_; }
  // Running means of magnitudes: over the last 4 and 16 rows of the column, 8 and 64 values of the row, 1024 in all.
  uint32_t column_fast(size_t j) const { return column_fast_[j]; }
  uint32_t column_slow(size_t j) const { return column_slow_[j]; }
  uint32_t row_fast() const { return row_fast_; }
  uint32_t row_slow() const { return row_slow_; }
  uint32_t mean() const { return mean_; }
  // The mean of column_slow over [first, last).
  uint32_t columns_slow(size_t first, size_t last) const;

 private:
  static void Move(uint32_t* mean, uint32_t to, int shift) {
    *mean = static_cast<uint32_t>(static_cast<int32_t>(*mean) +
                                  ((static_cast<int32_t>(to) - static_cast<int32_t>(*mean)) >> shift));
  }

  std::vector<uint16_t> now_, above_, above2_;  // with two columns of zeros on either side
  std::vector<int8_t> sign_now_, sign_above_;
  std::vector<uint32_t> column_fast_, column_slow_;
  std::vector<int8_t> column_sign_;
  uint32_t row_fast_ = 0, row_slow_ = 0, mean_ = 0;
  int row_sign_ = 0;
};

inline void PlaneContext::Set(size_t j, uint32_t magnitude, bool negative) {
  const uint32_t m = std::min(magnitude, kMagnitudeCap);
  const uint32_t unit = m << kMeanBits;
  now_[j + 2] = static_cast<uint16_t>(m);
  Move(&row_fast_, unit, 3);
  Move(&row_slow_, unit, 6);
  Move(&mean_, unit, 10);
  Move(&column_fast_[j], unit, 2);
  Move(&column_slow_[j], unit, 4);
  if (m == 0) return;
  const int sign = negative ? -1 : 1;
  sign_now_[j + 2] = static_cast<int8_t>(sign);
  column_sign_[j] = static_cast<int8_t>(std::clamp(column_sign_[j] + sign, -3, 3));
  row_sign_ = std::clamp(row_sign_ + sign, -3, 3);
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_PLANE_CONTEXT_H_
