#include "common/quantize/level_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"

namespace thinwire {
namespace {

constexpr int kDroppedBits = 15;  // of binary32 behind a magnitude's 16

absl::Status CheckCode(uint64_t code) {
  if (code < kMagnitudeCodeLimit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a level of the update has the code ", code, ", which is no number"));
}

}  // namespace

int ValueFormat::table_bits() const {
  if (coding == ValueCoding::kLevels) return 16 << (bits - 1);
  return coding == ValueCoding::kUniform ? 32 : 8;
}

absl::Status ValueFormat::Validate() const {
  if (coding == ValueCoding::kFloat) {
    const absl::Status float_codec =
        CodecSpec::Float(format.exponent_bits, format.mantissa_bits, ScaleRule::kPowerOfTwo).Validate();
    if (!float_codec.ok()) return float_codec;
    if (width() <= kMaxBits) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("a kept entry has at most ", kMaxBits, " bits, not ", width()));
  }
  if (coding != ValueCoding::kLevels && coding != ValueCoding::kUniform) {
    return absl::InvalidArgumentError(absl::StrCat("value coding ", static_cast<int>(coding), " is not one of 1 to 3"));
  }
  if (bits >= 1 && bits <= kMaxBits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a kept entry has 1 to ", kMaxBits, " bits, not ", bits));
}

uint16_t MagnitudeCode(double magnitude) {
  const float value = static_cast<float>(std::min(magnitude, 3e38));
  if (!(value > 0)) return 0;
  const uint32_t bits = FloatBits(value);
  const uint32_t rounded = (bits + (1u << (kDroppedBits - 1)) - 1 + (bits >> kDroppedBits & 1)) >> kDroppedBits;
  return static_cast<uint16_t>(std::min<uint32_t>(rounded, kMagnitudeCodeLimit - 1));
}

float MagnitudeOfCode(uint16_t code) { return FloatFromBits(uint32_t{code} << kDroppedBits); }

LevelTable LevelTable::FromLevels(absl::Span<const double> levels) {
  LevelTable table;
  for (const double level : levels) table.codes_.push_back(MagnitudeCode(level));
  for (const uint16_t code : table.codes_) table.levels_.push_back(MagnitudeOfCode(code));
  table.FillThresholds();
  return table;
}

LevelTable LevelTable::Uniform(int bits, double smallest, double largest) {
  LevelTable table;
  table.codes_ = {MagnitudeCode(smallest), MagnitudeCode(largest)};
  table.FillUniform(bits);
  return table;
}

LevelTable LevelTable::Float(FloatFormat format, float largest) {
  LevelTable table;
  table.FillFloat(format, ChooseFloatScale(format, ScaleRule::kPowerOfTwo, largest)).IgnoreError();  // lawful
  return table;
}

void LevelTable::FillUniform(int bits) {
  const double smallest = MagnitudeOfCode(codes_[0]);
  const int count = 1 << (bits - 1);
  const double width = (MagnitudeOfCode(codes_[1]) - smallest) / count;
  for (int i = 0; i < count; ++i) levels_.push_back(static_cast<float>(smallest + (i + 0.5) * width));
  FillThresholds();
}

absl::Status LevelTable::FillFloat(FloatFormat format, float scale) {
  const absl::Status lawful = CheckFloatScale(format, ScaleRule::kPowerOfTwo, scale);
  if (!lawful.ok()) return lawful;
  scale_ = scale;
  for (uint32_t code = 0; code <= LargestMagnitudeCode(format); ++code) {
    levels_.push_back(DecodeFloatCode(code, format) * scale);
  }
  FillThresholds();
  return absl::OkStatus();
}

void LevelTable::FillThresholds() {
  for (size_t i = 0; i + 1 < levels_.size(); ++i) thresholds_.push_back((double{levels_[i]} + levels_[i + 1]) / 2);
}

absl::StatusOr<LevelTable> LevelTable::Read(const ValueFormat& format, BitReader& reader) {
  LevelTable table;
  if (format.coding == ValueCoding::kFloat) {
    const uint8_t exponent = static_cast<uint8_t>(reader.Read(8));
    TW_RETURN_IF_ERROR(table.FillFloat(format.format, LoadScale(ScaleRule::kPowerOfTwo, &exponent)));
    return table;
  }
  for (int i = 0; i < format.table_bits() / 16; ++i) {
    const uint64_t code = reader.Read(16);
    TW_RETURN_IF_ERROR(CheckCode(code));
    table.codes_.push_back(static_cast<uint16_t>(code));
  }
  if (!std::is_sorted(table.codes_.begin(), table.codes_.end())) {
    return absl::InvalidArgumentError("the levels of the update do not ascend");
  }
  if (format.coding == ValueCoding::kUniform) {
    table.FillUniform(format.bits);
    return table;
  }
  for (const uint16_t code : table.codes_) table.levels_.push_back(MagnitudeOfCode(code));
  table.FillThresholds();
  return table;
}

void LevelTable::Write(const ValueFormat& format, BitWriter& writer) const {
  if (format.coding == ValueCoding::kFloat) {
    uint8_t exponent = 0;
    StoreScale(ScaleRule::kPowerOfTwo, scale_, &exponent);
    writer.Write(exponent, 8);
    return;
  }
  for (const uint16_t code : codes_) writer.Write(code, 16);
}

uint32_t LevelTable::Nearest(float magnitude) const {
  const auto at = std::lower_bound(thresholds_.begin(), thresholds_.end(), double{magnitude});
  return static_cast<uint32_t>(at - thresholds_.begin());
}

}  // namespace thinwire
