// What a label of R bits stands for: a sign and one of up to 2^(R-1) magnitudes. Every value coding behind a top-K is
// such a table; they differ in how it is made and in what of it travels. The decoder's side uses no libm. Immutable
// after its making; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_LEVEL_TABLE_H_
#define THINWIRE_COMMON_QUANTIZE_LEVEL_TABLE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/quantize/bit_stream.h"

namespace thinwire {

// Frozen in the format.
enum class ValueCoding : uint8_t {
  kLevels = 1,   // each magnitude travels, in 16 bits
  kUniform = 2,  // the smallest and the largest magnitude travel; cells of one width between them
  kFloat = 3,    // a small float's numbers times a power of two, whose exponent travels
};

struct ValueFormat {
  static constexpr int kMaxBits = 8;  // a table then has at most 128 magnitudes

  ValueCoding coding = ValueCoding::kLevels;
  int bits = 0;        // R: levels and uniform
  FloatFormat format;  // float

  int width() const { return coding == ValueCoding::kFloat ? format.width() : bits; }
  // Bits that a table takes in the update.
  int table_bits() const;
  // INVALID_ARGUMENT naming the value and the limit.
  absl::Status Validate() const;
};

// A magnitude in 16 bits, the upper ones of binary32 behind the sign: 8 of exponent, 8 of mantissa. Nearest, ties to
// even; at most the largest finite one. Negative values, NaN and what is below 2^-135 give 0.
uint16_t MagnitudeCode(double magnitude);
inline constexpr uint16_t kMagnitudeCodeLimit = 0xff00;  // codes from here on are no numbers
float MagnitudeOfCode(uint16_t code);

class LevelTable {
 public:
  // Magnitudes that ascend (equal ones may follow each other) are rounded to 16 bits each.
  static LevelTable FromLevels(absl::Span<const double> levels);
  // 2^(bits-1) cells of one width on [smallest, largest], both rounded to 16 bits; the levels are their middles.
  static LevelTable Uniform(int bits, double smallest, double largest);
  // The scale is the smallest power of two that brings `largest` into the format's range.
  static LevelTable Float(FloatFormat format, float largest);

  // INVALID_ARGUMENT if levels do not ascend or are not finite.
  static absl::StatusOr<LevelTable> Read(const ValueFormat& format, BitReader& reader);
  void Write(const ValueFormat& format, BitWriter& writer) const;

  // The index of the nearest level; of two as near, the lower.
  uint32_t Nearest(float magnitude) const;
  absl::Span<const float> levels() const { return levels_; }

 private:
  LevelTable() = default;
  void FillUniform(int bits);
  // INVALID_ARGUMENT if the scale is none that ChooseFloatScale gives.
  absl::Status FillFloat(FloatFormat format, float scale);
  void FillThresholds();

  std::vector<float> levels_;
  std::vector<double> thresholds_;  // [i]: up to it level i is nearest
  std::vector<uint16_t> codes_;     // levels: all; uniform: smallest and largest
  float scale_ = 1;                 // float
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_LEVEL_TABLE_H_
