// Every instruction set that this processor has gives the bytes of the scalar kernels.
#include "common/codec/kernels/float_kernels.h"

#include <cfloat>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels_scalar.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

constexpr uint8_t kFill = 0xa5;
constexpr size_t kGuard = 80;  // bytes or values around a buffer that must stay as they are

uint32_t Hash(uint64_t seed, uint64_t index) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + index * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 31)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(x >> 32);
}

// Finite values of every magnitude, many of them where the format has its edges: subnormals, ties, saturation.
std::vector<float> Values(FloatFormat format, float scale, uint64_t seed, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t random = Hash(seed, 2 * i), choice = Hash(seed, 2 * i + 1) % 8;
    const uint32_t code = random % (LargestMagnitudeCode(format) + 1);
    const float number = DecodeFloatCode(code, format) * scale;
    const float next = code == LargestMagnitudeCode(format) ? FLT_MAX : DecodeFloatCode(code + 1, format) * scale;
    const uint32_t bits = choice == 0   ? random & ~kFloatSignBit               // anything
                          : choice == 1 ? random & 0x007fffffu                  // subnormal binary32
                          : choice == 2 ? FloatBits(number)                     // exactly a number
                          : choice == 3 ? FloatBits(number / 2 + next / 2)      // a tie
                          : choice == 4 ? FloatBits(number / 2 + next / 2) + 1  // above a tie
                          : choice == 5 ? FloatBits(number / 2 + next / 2) - 1  // below
                          : choice == 6 ? FloatBits(DecodeFloatCode(code % 16, format) * scale) + code % 3
                                        : 0;
    const float value = FloatFromBits(bits);
    values[i] = value <= FLT_MAX ? value : FLT_MAX;
    if ((random >> 31) != 0) values[i] = -values[i];
  }
  return values;
}

std::vector<FloatFormat> AllFormats() {
  std::vector<FloatFormat> formats;
  for (int exponent = 2; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 23; ++mantissa) formats.push_back({exponent, mantissa});
  }
  return formats;
}

std::vector<float> Scales(FloatFormat format) {
  std::vector<float> scales = {1.0f, 0.0625f, 1.1754943508e-38f};
  for (const float absmax : {0.3f, 1e30f, 1e-30f}) {
    scales.push_back(ChooseFloatScale(format, ScaleRule::kPowerOfTwo, absmax));
    scales.push_back(ChooseFloatScale(format, ScaleRule::kAbsMax, absmax));
  }
  return scales;
}

class FloatKernelsTest : public testing::TestWithParam<KernelTarget> {
 protected:
  FloatKernelsTest() { UseKernelTarget(&GetParam()); }
  ~FloatKernelsTest() override { UseKernelTarget(nullptr); }

  // Encodes into the middle of a filled buffer, `shift` bytes off alignment, and compares with the scalar kernel.
  static void ExpectSameBytes(const std::vector<float>& values, FloatFormat format, float scale, size_t shift) {
    const size_t size = PackedSize(values.size(), format.width());
    std::vector<uint8_t> expected(size), actual(size + 2 * kGuard, kFill);
    ASSERT_TRUE(scalar::EncodeFloats(values.data(), values.size(), format, scale, expected.data()));
    std::vector<float> moved(values.size() + shift);
    if (!values.empty()) std::memcpy(moved.data() + shift, values.data(), values.size() * sizeof(float));
    uint8_t* out = actual.data() + 64 + shift;
    ASSERT_TRUE(EncodeFloats(moved.data() + shift, values.size(), format, scale, out));
    ASSERT_EQ(std::vector<uint8_t>(out, out + size), expected);
    for (uint8_t* p = actual.data(); p < out; ++p) ASSERT_EQ(*p, kFill);
    for (uint8_t* p = out + size; p < actual.data() + actual.size(); ++p) ASSERT_EQ(*p, kFill);
  }

  // Decodes from an exact copy of the stream, so that reading beyond it is seen by the address sanitizer.
  static void ExpectSameValues(const std::vector<uint8_t>& packed, size_t count, FloatFormat format, float scale) {
    const float fill = 77.0f;
    std::vector<float> expected(count), actual(count + 2 * kGuard, fill);
    const bool numbers = scalar::DecodeFloats(packed.data(), count, format, scale, expected.data());
    float* out = actual.data() + kGuard;
    ASSERT_EQ(DecodeFloats(packed.data(), count, format, scale, out), numbers);
    if (numbers && count > 0) {
      ASSERT_EQ(std::memcmp(out, expected.data(), count * sizeof(float)), 0);
    }
    for (size_t i = 0; i < kGuard; ++i) ASSERT_TRUE(actual[i] == fill && out[count + i] == fill);
  }
};

TEST_P(FloatKernelsTest, EncodesTheSameBytesForEveryFormatScaleAndLength) {
  uint64_t seed = 0;
  for (const FloatFormat format : AllFormats()) {
    for (const float scale : Scales(format)) {
      for (size_t count = 0; count <= 70; count += seed % 3 + 1) {
        SCOPED_TRACE(testing::Message() << "e" << format.exponent_bits << "m" << format.mantissa_bits << " scale "
                                        << scale << " count " << count);
        ++seed;
        ExpectSameBytes(Values(format, scale, seed, count), format, scale, seed % 13);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FloatKernelsTest, DecodesTheSameValuesForEveryFormatScaleAndLength) {
  uint64_t seed = 0;
  for (const FloatFormat format : AllFormats()) {
    for (const float scale : Scales(format)) {
      for (size_t count = 0; count <= 70; count += seed % 3 + 1) {
        std::vector<uint8_t> packed(PackedSize(count, format.width()));
        ++seed;
        for (size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<uint8_t>(Hash(seed, i));
        SCOPED_TRACE(testing::Message() << "e" << format.exponent_bits << "m" << format.mantissa_bits << " scale "
                                        << scale << " count " << count);
        ExpectSameValues(packed, count, format, scale);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FloatKernelsTest, DithersTheSameForEveryFormatScaleAndLength) {
  uint64_t seed = 0;
  for (const FloatFormat format : AllFormats()) {
    for (const float scale : Scales(format)) {
      for (size_t count = 0; count <= 70; count += ++seed % 5 + 1) {
        SCOPED_TRACE(testing::Message() << "e" << format.exponent_bits << "m" << format.mantissa_bits << " scale "
                                        << scale << " count " << count);
        const std::vector<float> values = Values(format, scale, seed, count);
        std::vector<uint16_t> dither(count);
        for (size_t i = 0; i < count; ++i) dither[i] = static_cast<uint16_t>(Hash(~seed, i) >> (i % 5 == 0 ? 31 : 0));
        std::vector<uint8_t> expected(PackedSize(count, format.width())), actual(expected.size() + 1, kFill);
        ASSERT_TRUE(scalar::EncodeFloatsDithered(values.data(), dither.data(), count, format, scale, expected.data()));
        ASSERT_TRUE(EncodeFloatsDithered(values.data(), dither.data(), count, format, scale, actual.data()));
        ASSERT_EQ(actual.back(), kFill);
        actual.pop_back();
        ASSERT_EQ(actual, expected);
      }
    }
  }
}

TEST_P(FloatKernelsTest, DitheringRefusesWhatIsNotFinite) {
  std::vector<uint16_t> dither(40, 0x8000);
  for (size_t at = 0; at < 40; ++at) {
    std::vector<float> values(40, 1.0f);
    values[at] = at % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : -std::numeric_limits<float>::infinity();
    std::vector<uint8_t> out(PackedSize(40, 11));
    EXPECT_FALSE(EncodeFloatsDithered(values.data(), dither.data(), 40, {3, 7}, 1.0f, out.data())) << at;
  }
}

// All lengths up to several vectors for the format that the default plan uses, and a long one.
TEST_P(FloatKernelsTest, DoesTheDefaultFormatAtEveryLength) {
  const FloatFormat format{3, 7};
  for (size_t count = 0; count <= 300; ++count) {
    ExpectSameBytes(Values(format, 0.25f, count, count), format, 0.25f, count % 7);
    ASSERT_FALSE(HasFatalFailure()) << count;
  }
  ExpectSameBytes(Values(format, 0.25f, 1, 65536), format, 0.25f, 3);
}

TEST_P(FloatKernelsTest, FindsEveryCodeThatIsNoNumberAtEightExponentBits) {
  for (int mantissa = 0; mantissa <= 23; ++mantissa) {
    const FloatFormat format{8, mantissa};
    std::vector<float> ones(40, 1.0f), out(40);
    for (size_t at = 0; at < ones.size(); ++at) {
      std::vector<uint8_t> packed(PackedSize(ones.size(), format.width()));
      ASSERT_TRUE(scalar::EncodeFloats(ones.data(), ones.size(), format, 1.0f, packed.data()));
      for (size_t bit = at * static_cast<size_t>(format.width()) + static_cast<size_t>(mantissa), i = 0; i < 8; ++i) {
        packed[(bit + i) / 8] = static_cast<uint8_t>(packed[(bit + i) / 8] | (1 << ((bit + i) % 8)));
      }
      ASSERT_FALSE(DecodeFloats(packed.data(), ones.size(), format, 1.0f, out.data())) << mantissa << " " << at;
    }
  }
}

TEST_P(FloatKernelsTest, FindsEveryValueThatIsNotFinite) {
  for (const FloatFormat format : {FloatFormat{3, 7}, FloatFormat{2, 0}, FloatFormat{8, 7}, FloatFormat{8, 23}}) {
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN()}) {
      for (size_t at = 0; at < 70; ++at) {
        std::vector<float> values(70, 0.5f);
        values[at] = bad;
        std::vector<uint8_t> packed(PackedSize(values.size(), format.width()));
        ASSERT_FALSE(EncodeFloats(values.data(), values.size(), format, 1.0f, packed.data()));
        ASSERT_FALSE(EncodeFloats(values.data(), values.size(), format, 1.5f, packed.data()));
        ASSERT_GE(MaxMagnitudeBits(values.data(), values.size()), kFloatInfinityBits);
      }
    }
  }
}

TEST_P(FloatKernelsTest, FindsTheLargestMagnitudeAtEveryLength) {
  for (size_t count = 0; count <= 200; ++count) {
    const std::vector<float> values = Values({8, 23}, 1.0f, count, count);
    ASSERT_EQ(MaxMagnitudeBits(values.data(), count), scalar::MaxMagnitudeBits(values.data(), count)) << count;
  }
}

std::string TargetName(const testing::TestParamInfo<KernelTarget>& target) { return target.param.name; }

TEST_P(FloatKernelsTest, GroupsGetTheSameBitsForEveryLength) {
  const FloatFormat format = {3, 7};
  for (const size_t group : {size_t{64}, size_t{128}}) {
    for (size_t count = 0; count <= 300; count += count % 7 + 1) {
      SCOPED_TRACE(testing::Message() << "group " << group << " count " << count);
      const size_t groups = (count + group - 1) / group;
      std::vector<float> scales;
      for (size_t i = 0; i < groups; ++i) scales.push_back(Scales(format)[(count + i) % Scales(format).size()]);
      // An odd address, so that no load is aligned.
      std::vector<float> values = Values(format, 0.25f, count, count + 1);
      const float* const in = values.data() + 1;
      std::vector<uint32_t> expected_largest(groups), largest(groups);
      scalar::MaxMagnitudeBitsOfGroups(in, count, group, expected_largest.data());
      MaxMagnitudeBitsOfGroups(in, count, group, largest.data());
      ASSERT_EQ(largest, expected_largest);
      std::vector<float> expected(count), quotients(count + 1, 77.0f);
      scalar::DivideGroups(in, count, group, scales.data(), expected.data());
      DivideGroups(in, count, group, scales.data(), quotients.data());
      ASSERT_TRUE(count == 0 || std::memcmp(quotients.data(), expected.data(), count * sizeof(float)) == 0);
      ASSERT_EQ(quotients[count], 77.0f);
      scalar::MultiplyGroups(expected.data(), count, group, scales.data());
      MultiplyGroups(quotients.data(), count, group, scales.data());
      ASSERT_TRUE(count == 0 || std::memcmp(quotients.data(), expected.data(), count * sizeof(float)) == 0);
      ASSERT_EQ(quotients[count], 77.0f);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(On, FloatKernelsTest, testing::ValuesIn(KernelTargets()), TargetName);

}  // namespace
}  // namespace thinwire
