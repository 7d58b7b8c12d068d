// A row block in one sweep has the bytes of the kernel called group by group.
#include "common/codec/row_block_codes.h"

#include <cstring>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

// Groups of magnitudes far apart, zeros among them.
std::vector<float> Values(size_t count) {
  RandomStream random(5);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t group = i / 64;
    const float magnitude = group % 5 == 0 ? 0.0f : FloatFromBits(static_cast<uint32_t>(1 + group * 37 % 250) << 23);
    values[i] = magnitude * static_cast<float>(random.NextDouble() - 0.5);
  }
  return values;
}

std::vector<RowBlockFormat> Formats() {
  std::vector<RowBlockFormat> formats;
  for (const FloatFormat format : {FloatFormat{3, 7}, FloatFormat{2, 3}, FloatFormat{8, 7}, FloatFormat{5, 21}}) {
    for (const ScaleRule rule : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
      for (const size_t group : {64, 256, 4096}) formats.push_back({format, rule, group});
    }
  }
  return formats;
}

TEST(RowBlockCodes, AreThoseOfEachGroup) {
  for (const RowBlockFormat& format : Formats()) {
    for (const size_t count : {size_t{1}, size_t{64}, size_t{100}, size_t{1000}, size_t{4096}}) {
      SCOPED_TRACE(testing::Message() << "e" << format.format.exponent_bits << "m" << format.format.mantissa_bits
                                      << " rule " << static_cast<int>(format.scale) << " group " << format.group
                                      << " count " << count);
      const std::vector<float> values = Values(count);
      const GroupScales scales = ChooseGroupScales(format, values);
      std::vector<uint16_t> dither(count);
      for (size_t i = 0; i < count; ++i) dither[i] = static_cast<uint16_t>(i * 40503);
      const size_t size = PackedSize(count, format.format.width());
      std::vector<uint8_t> nearest(size), dithered(size), expected(size), expected_dithered(size);
      EncodeRowBlock(format, scales, values, nullptr, nearest.data());
      EncodeRowBlock(format, scales, values, dither.data(), dithered.data());
      std::vector<float> decoded(count), expected_values(count);
      ASSERT_TRUE(DecodeRowBlock(format, scales, nearest.data(), absl::MakeSpan(decoded)));
      for (size_t first = 0; first < count; first += format.group) {
        const size_t part = std::min(format.group, count - first);
        const size_t at = PackedSize(first, format.format.width());
        const float absmax = FloatFromBits(MaxMagnitudeBits(&values[first], part));
        const float scale = ChooseFloatScale(format.format, format.scale, absmax);
        ASSERT_EQ(scales[first / format.group], scale) << first;
        ASSERT_TRUE(EncodeFloats(&values[first], part, format.format, scale, &expected[at]));
        ASSERT_TRUE(
            EncodeFloatsDithered(&values[first], &dither[first], part, format.format, scale, &expected_dithered[at]));
        ASSERT_TRUE(DecodeFloats(&expected[at], part, format.format, scale, &expected_values[first]));
      }
      ASSERT_EQ(nearest, expected);
      ASSERT_EQ(dithered, expected_dithered);
      ASSERT_EQ(std::memcmp(decoded.data(), expected_values.data(), count * sizeof(float)), 0);
    }
  }
}

TEST(RowBlockCodes, TruncatingDitherRoundsTowardsZero) {
  const RowBlockFormat format = {{3, 7}, ScaleRule::kNone, 64};
  const std::vector<float> values = {1.999f, -1.999f};
  uint8_t codes[3];
  std::vector<float> decoded(2);
  EncodeRowBlock(format, ChooseGroupScales(format, values), values, TruncatingDither(), codes);
  ASSERT_TRUE(DecodeRowBlock(format, ChooseGroupScales(format, values), codes, absl::MakeSpan(decoded)));
  EXPECT_EQ(decoded, (std::vector<float>{1.9921875f, -1.9921875f}));
}

TEST(RowBlockCodes, ACodeThatIsNoNumberIsRefusedUnderScalesToo) {
  const RowBlockFormat format = {{8, 7}, ScaleRule::kPowerOfTwo, 64};
  const std::vector<float> values(200, 1.0f);
  const GroupScales scales = ChooseGroupScales(format, values);
  std::vector<uint8_t> codes(PackedSize(values.size(), 16));
  EncodeRowBlock(format, scales, values, nullptr, codes.data());
  codes[2 * 150] = 0x80;  // infinity: exponent all ones
  codes[2 * 150 + 1] = 0x7f;
  std::vector<float> decoded(values.size());
  EXPECT_FALSE(DecodeRowBlock(format, scales, codes.data(), absl::MakeSpan(decoded)));
}

TEST(RowBlockCodes, ScalesComeBackFromTheirBytes) {
  for (const ScaleRule rule : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    for (const float absmax : {1e-44f, 1e-38f, 0.07f, 1.0f, 3e20f, 3.4e38f}) {
      uint8_t bytes[4] = {};
      const float scale = ChooseFloatScale({3, 7}, rule, absmax);
      StoreScale(rule, scale, bytes);
      EXPECT_EQ(LoadScale(rule, bytes), scale) << static_cast<int>(rule) << " " << absmax;
    }
  }
  const uint8_t unlawful = 0x80;
  EXPECT_EQ(LoadScale(ScaleRule::kPowerOfTwo, &unlawful), 0);
}

}  // namespace
}  // namespace thinwire
