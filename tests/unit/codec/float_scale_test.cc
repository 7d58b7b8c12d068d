#include "common/codec/float_scale.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/float_format.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

// Magnitudes all over the range, the ends included.
std::vector<float> Magnitudes() {
  std::vector<float> values = {std::numeric_limits<float>::denorm_min(), FLT_MIN / 2, FLT_MIN, FLT_MAX};
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (const uint32_t mantissa : {0u, 1u, 0x400000u, 0x7effffu, 0x7f0000u, 0x7f0001u, 0x7fffffu}) {
      const uint32_t bits = (exponent << 23) | mantissa;
      if (bits != 0) values.push_back(FloatFromBits(bits));
    }
  }
  return values;
}

std::vector<FloatFormat> Formats() { return {{2, 0}, {3, 7}, {4, 14}, {5, 10}, {7, 23}, {8, 7}, {8, 22}, {8, 23}}; }

TEST(FloatScaleTest, IsOneWithoutARuleAndForZeros) {
  for (const FloatFormat format : Formats()) {
    EXPECT_EQ(ChooseFloatScale(format, ScaleRule::kNone, 123.0f), 1.0f);
    EXPECT_EQ(ChooseFloatScale(format, ScaleRule::kPowerOfTwo, 0.0f), 1.0f);
    EXPECT_EQ(ChooseFloatScale(format, ScaleRule::kAbsMax, 0.0f), 1.0f);
  }
}

TEST(FloatScaleTest, ThePowerOfTwoIsTheSmallestInRange) {
  for (const FloatFormat format : Formats()) {
    const double largest = LargestFinite(format);
    for (const float absmax : Magnitudes()) {
      const float scale = ChooseFloatScale(format, ScaleRule::kPowerOfTwo, absmax);
      ASSERT_TRUE(CheckFloatScale(format, ScaleRule::kPowerOfTwo, scale).ok()) << absmax << " " << scale;
      const bool capped = !std::isfinite(static_cast<float>(largest * scale * 2));
      ASSERT_TRUE(absmax <= largest * scale || capped) << absmax;
      ASSERT_TRUE(scale == FLT_MIN || absmax > largest * (scale / 2)) << absmax;
    }
  }
  EXPECT_EQ(ChooseFloatScale({3, 7}, ScaleRule::kPowerOfTwo, 31.875f), 1.0f);
  EXPECT_EQ(ChooseFloatScale({3, 7}, ScaleRule::kPowerOfTwo, std::nextafter(31.875f, 99.0f)), 2.0f);
}

TEST(FloatScaleTest, TheAbsMaxScaleBringsTheLargestMagnitudeToTheLargestCode) {
  for (const FloatFormat format : Formats()) {
    for (const float absmax : Magnitudes()) {
      const float scale = ChooseFloatScale(format, ScaleRule::kAbsMax, absmax);
      ASSERT_TRUE(CheckFloatScale(format, ScaleRule::kAbsMax, scale).ok()) << absmax << " " << scale;
      if (scale == FLT_MIN) continue;  // smaller scales are not allowed
      ASSERT_EQ(EncodeFloatCode(absmax / scale, format) | 1, LargestMagnitudeCode(format) | 1) << absmax;
      ASSERT_NEAR(LargestFinite(format) * scale / absmax, 1.0, 1e-6) << absmax;
    }
  }
}

TEST(FloatScaleTest, RefusesScalesThatNoEncoderChooses) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float scale : {0.0f, -1.0f, inf, -inf, nan, FLT_MIN / 2, FLT_MAX}) {
    for (const ScaleRule rule : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
      EXPECT_EQ(CheckFloatScale({3, 7}, rule, scale).code(), absl::StatusCode::kInvalidArgument) << scale;
    }
  }
  EXPECT_FALSE(CheckFloatScale({3, 7}, ScaleRule::kNone, 2.0f).ok());
  EXPECT_FALSE(CheckFloatScale({3, 7}, ScaleRule::kPowerOfTwo, 1.5f).ok());
  EXPECT_TRUE(CheckFloatScale({3, 7}, ScaleRule::kAbsMax, 1.5f).ok());
}

// Random values over many magnitudes, subnormals among them.
std::vector<float> RandomTensor(uint64_t seed, size_t count) {
  std::vector<float> values(count);
  const int center = static_cast<int>(seed * 37 % 290) - 150;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(seed * 2654435761u + i * 40503u) * 2246822519u;
    const double fraction = 1 + static_cast<double>(bits & 0x7fffff) / 0x800000;
    const float value = static_cast<float>(std::ldexp(fraction, center - static_cast<int>((bits >> 23) % 24)));
    values[i] = (bits >> 31) != 0 ? -value : value;
  }
  return values;
}

float Decoded(float value, FloatFormat format, float scale) {
  return DecodeFloatCode(EncodeFloatCode(value / scale, format), format) * scale;
}

float AbsMax(const std::vector<float>& values) {
  float absmax = 0;
  for (const float value : values) absmax = std::max(absmax, std::abs(value));
  return absmax;
}

// What a client uploads when it sends back a model that it got: the same values, whatever their magnitudes.
TEST(FloatScaleTest, DecodedTensorsEncodeToTheSameValuesUnderAPowerOfTwo) {
  for (const FloatFormat format : Formats()) {
    for (uint64_t seed = 1; seed <= 290; ++seed) {
      std::vector<float> values = RandomTensor(seed, 50);
      const float first = ChooseFloatScale(format, ScaleRule::kPowerOfTwo, AbsMax(values));
      for (float& value : values) value = Decoded(value, format, first);
      const float second = ChooseFloatScale(format, ScaleRule::kPowerOfTwo, AbsMax(values));
      for (const float value : values) {
        ASSERT_EQ(FloatBits(Decoded(value, format, second)), FloatBits(value)) << first << " " << second;
      }
    }
  }
}

}  // namespace
}  // namespace thinwire
