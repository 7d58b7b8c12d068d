#include "common/codec/float_format.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

// The number of a code by the definition: (-1)^s * 2^(e - bias) * 1.m, or 2^(1 - bias) * 0.m for e = 0, in double.
double NumberByDefinition(uint32_t code, FloatFormat format) {
  const uint32_t mantissa = code & ((1u << format.mantissa_bits) - 1);
  const int exponent = static_cast<int>((code >> format.mantissa_bits) & ((1u << format.exponent_bits) - 1));
  const double fraction = std::ldexp(static_cast<double>(mantissa), -format.mantissa_bits);
  const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - ExponentBias(format))
                                         : std::ldexp(1 + fraction, exponent - ExponentBias(format));
  return (code & SignCode(format)) != 0 ? -magnitude : magnitude;
}

std::vector<FloatFormat> AllFormats() {
  std::vector<FloatFormat> formats;
  for (int exponent = 2; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 23; ++mantissa) formats.push_back({exponent, mantissa});
  }
  return formats;
}

// All magnitude codes if there are few, else those around every power of two and the ends.
std::vector<uint32_t> InterestingCodes(FloatFormat format) {
  const uint32_t largest = LargestMagnitudeCode(format);
  std::vector<uint32_t> codes;
  if (largest < 4096) {
    for (uint32_t code = 0; code <= largest; ++code) codes.push_back(code);
    return codes;
  }
  const uint32_t binades = largest >> format.mantissa_bits;
  for (uint32_t binade = 0; binade <= binades; ++binade) {
    const uint32_t base = binade << format.mantissa_bits;
    for (uint32_t step : {0u, 1u, 2u, 3u, 1u << (format.mantissa_bits / 2)}) {
      if (base + step <= largest) codes.push_back(base + step);
      if (base > step) codes.push_back(base - 1 - step);
    }
  }
  codes.push_back(largest);
  std::sort(codes.begin(), codes.end());
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  return codes;
}

class EveryFormat : public testing::TestWithParam<FloatFormat> {};

TEST_P(EveryFormat, DecodesCodesToTheNumbersOfTheDefinition) {
  const FloatFormat format = GetParam();
  for (const uint32_t code : InterestingCodes(format)) {
    ASSERT_TRUE(IsNumberCode(code, format));
    ASSERT_EQ(DecodeFloatCode(code, format), NumberByDefinition(code, format)) << code;
    const uint32_t negative = code | SignCode(format);
    ASSERT_TRUE(IsNumberCode(negative, format));
    ASSERT_EQ(FloatBits(DecodeFloatCode(negative, format)), FloatBits(DecodeFloatCode(code, format)) | kFloatSignBit);
  }
}

TEST_P(EveryFormat, EncodesEveryNumberToItsOwnCode) {
  const FloatFormat format = GetParam();
  for (const uint32_t code : InterestingCodes(format)) {
    ASSERT_EQ(EncodeFloatCode(DecodeFloatCode(code, format), format), code);
    const uint32_t negative = code | SignCode(format);
    ASSERT_EQ(EncodeFloatCode(DecodeFloatCode(negative, format), format), negative);
  }
}

// Between two neighbouring numbers: everything below the middle goes down, above up, the middle to the even code.
TEST_P(EveryFormat, RoundsToTheNearestNumberAndTiesToTheEvenCode) {
  const FloatFormat format = GetParam();
  for (const uint32_t code : InterestingCodes(format)) {
    if (code == LargestMagnitudeCode(format)) continue;
    const double low = NumberByDefinition(code, format), high = NumberByDefinition(code + 1, format);
    const float middle = static_cast<float>((low + high) / 2);
    if (static_cast<double>(middle) == (low + high) / 2) {
      ASSERT_EQ(EncodeFloatCode(middle, format), code + (code & 1)) << middle;
    }
    const float below = std::nextafter(middle, 0.0f), above = std::nextafter(middle, FLT_MAX);
    if (below > low && below < (low + high) / 2) {
      ASSERT_EQ(EncodeFloatCode(below, format), code) << below;
    }
    if (above < high && above > (low + high) / 2) {
      ASSERT_EQ(EncodeFloatCode(above, format), code + 1) << above;
    }
    ASSERT_EQ(EncodeFloatCode(-above, format), EncodeFloatCode(above, format) | SignCode(format));
  }
}

TEST_P(EveryFormat, SaturatesAtTheLargestFiniteCode) {
  const FloatFormat format = GetParam();
  const uint32_t largest = LargestMagnitudeCode(format);
  for (const float value : {LargestFinite(format), FLT_MAX, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(EncodeFloatCode(value, format), largest);
    EXPECT_EQ(EncodeFloatCode(-value, format), largest | SignCode(format));
  }
}

TEST_P(EveryFormat, KeepsTheSignOfZeroAndOfWhatRoundsToZero) {
  const FloatFormat format = GetParam();
  EXPECT_EQ(EncodeFloatCode(0.0f, format), 0u);
  EXPECT_EQ(EncodeFloatCode(-0.0f, format), SignCode(format));
  EXPECT_EQ(FloatBits(DecodeFloatCode(SignCode(format), format)), kFloatSignBit);
  if (format.exponent_bits == 8) return;  // there 2^-149 may be a number
  EXPECT_EQ(EncodeFloatCode(-std::numeric_limits<float>::denorm_min(), format), SignCode(format));
}

TEST_P(EveryFormat, DitheringKeepsEveryNumberOfTheFormat) {
  const FloatFormat format = GetParam();
  const uint32_t codes = LargestMagnitudeCode(format) + 1;
  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t code = static_cast<uint32_t>(uint64_t{i} * codes / 2000) | (i % 2 == 0 ? 0 : SignCode(format));
    const float number = DecodeFloatCode(code, format);
    for (const uint16_t dither : {0x0000, 0x0001, 0x7fff, 0xfffe, 0xffff}) {
      ASSERT_EQ(EncodeFloatCodeDithered(number, format, dither), code) << number << " " << dither;
    }
  }
}

TEST_P(EveryFormat, DitherZeroTruncatesAndSaturates) {
  const FloatFormat format = GetParam();
  const uint32_t last = LargestMagnitudeCode(format);
  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t code = static_cast<uint32_t>(uint64_t{i} * last / 2000);
    const float below = std::nextafter(DecodeFloatCode(code + 1, format), 0.0f);
    ASSERT_EQ(EncodeFloatCodeDithered(below, format, 0), code);
    ASSERT_EQ(EncodeFloatCodeDithered(-below, format, 0), code | SignCode(format));
  }
  for (const uint16_t dither : {0x0000, 0xffff}) {
    EXPECT_EQ(EncodeFloatCodeDithered(FLT_MAX, format, dither), last);
    EXPECT_EQ(EncodeFloatCodeDithered(-INFINITY, format, dither), last | SignCode(format));
  }
}

TEST_P(EveryFormat, DitheringOverAllDithersGivesTheValueOnAverage) {
  const FloatFormat format = GetParam();
  const int used = std::min(16, 23 - format.mantissa_bits);
  for (const uint32_t code : {0u, 1u, (1u << format.mantissa_bits) - 1, LargestMagnitudeCode(format) / 2}) {
    const double low = DecodeFloatCode(code, format), high = DecodeFloatCode(code + 1, format);
    for (const double share : {0.0, 0.125, 0.5, 0.8125}) {
      const float value = static_cast<float>(low + share * (high - low));
      double sum = 0;
      for (uint32_t i = 0; i < 1u << used; ++i) {
        const uint16_t dither = static_cast<uint16_t>(i << (16 - used));
        sum += DecodeFloatCode(EncodeFloatCodeDithered(value, format, dither), format);
      }
      EXPECT_NEAR(sum / (1u << used), value, (high - low) / (1u << used)) << code << " " << share;
    }
  }
}

std::string FormatName(const testing::TestParamInfo<FloatFormat>& format) {
  return "e" + std::to_string(format.param.exponent_bits) + "m" + std::to_string(format.param.mantissa_bits);
}
INSTANTIATE_TEST_SUITE_P(S1ExMy, EveryFormat, testing::ValuesIn(AllFormats()), FormatName);

TEST(FloatFormatTest, EightExponentAnd23MantissaBitsAreBinary32) {
  const FloatFormat format{8, 23};
  for (const uint32_t bits : {0u, 1u, 0x7fffffu, 0x800000u, 0x3f800000u, 0x7f7fffffu, 0x80000000u, 0xff7fffffu}) {
    EXPECT_EQ(EncodeFloatCode(FloatFromBits(bits), format), bits);
    EXPECT_EQ(FloatBits(DecodeFloatCode(bits, format)), bits);
  }
  EXPECT_FALSE(IsNumberCode(kFloatInfinityBits, format));
  EXPECT_FALSE(IsNumberCode(0xffc00000u, format));
}

TEST(FloatFormatTest, TheTopExponentHoldsNumbersBelowEightExponentBits) {
  EXPECT_EQ(LargestFinite({3, 7}), 31.875f);                     // 2^4 * (2 - 2^-7)
  EXPECT_EQ(LargestFinite({5, 10}), 131008.0f);                  // IEEE's half would stop at 65504
  EXPECT_EQ(LargestFinite({8, 7}), FloatFromBits(0x7f7f0000u));  // bfloat16's
  EXPECT_EQ(LargestFinite({2, 0}), 4.0f);
}

}  // namespace
}  // namespace thinwire
