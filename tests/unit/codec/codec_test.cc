#include "common/codec/codec.h"

#include <cfloat>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/frame.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Wave(size_t count, float amplitude) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = amplitude * static_cast<float>(static_cast<int>(i * 7919 % 2001) - 1000) / 1000;
  }
  return values;
}

std::string MustEncode(const CodecSpec& spec, absl::Span<const float> values) {
  const auto codec = MakeCodec(spec);
  EXPECT_TRUE(codec.ok()) << codec.status();
  TensorScan scan;
  scan.Add(values);
  const auto scale = (*codec)->ChooseScale(scan);
  EXPECT_TRUE(scale.ok()) << scale.status();
  std::string frame;
  const absl::Status status = (*codec)->Encode(values, *scale, &frame);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(frame.size(), (*codec)->MaxFrameSize(static_cast<uint32_t>(values.size())));
  return frame;
}

TEST(TensorScanTest, DoesNotDependOnHowTheTensorIsCut) {
  const std::vector<float> values = Wave(1000, 3);
  TensorScan whole, pieces;
  whole.Add(values);
  for (size_t i = 0; i < values.size(); i += 7) pieces.Add(absl::MakeConstSpan(values).subspan(i, 7));
  EXPECT_EQ(whole.absmax, pieces.absmax);
  EXPECT_TRUE(whole.finite && pieces.finite);
}

TEST(TensorScanTest, FindsWhatIsNotFinite) {
  for (const float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
    TensorScan scan;
    scan.Add({1.0f, bad, 2.0f});
    EXPECT_FALSE(scan.finite);
    for (const CodecSpec& spec : {CodecSpec::Fp32(), CodecSpec::Float(3, 7, ScaleRule::kAbsMax)}) {
      EXPECT_EQ((*MakeCodec(spec))->ChooseScale(scan).status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(Fp32CodecTest, KeepsEveryFiniteBit) {
  const std::vector<float> values = {0.0f, -0.0f, 1.5f, FLT_MAX, -FLT_MIN, std::numeric_limits<float>::denorm_min()};
  std::vector<float> out(values.size());
  ASSERT_TRUE(DecodeFrame(MustEncode(CodecSpec::Fp32(), values), absl::MakeSpan(out)).ok());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(FloatBits(out[i]), FloatBits(values[i]));
}

// Every format and every length around the bytes' and lanes' edges, against the reference applied value by value.
TEST(FloatCodecTest, DecodesToTheReferenceForEveryFormatAndTail) {
  for (int exponent = 2; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 23; ++mantissa) {
      for (const size_t count : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100}) {
        const CodecSpec spec = CodecSpec::Float(exponent, mantissa, ScaleRule::kPowerOfTwo);
        const std::vector<float> values = Wave(count, 0.37f);
        TensorScan scan;
        scan.Add(values);
        const float scale = ChooseFloatScale(spec.format, spec.scale, scan.absmax);
        std::vector<float> out(count);
        ASSERT_TRUE(DecodeFrame(MustEncode(spec, values), absl::MakeSpan(out)).ok());
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(out[i], DecodeFloatCode(EncodeFloatCode(values[i] / scale, spec.format), spec.format) * scale);
        }
      }
    }
  }
}

TEST(FloatCodecTest, TheErrorIsAtMostHalfAStepOfTheLastBit) {
  for (const ScaleRule rule : {ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    const CodecSpec spec = CodecSpec::Float(3, 7, rule);
    const std::vector<float> values = Wave(5000, 42);
    std::vector<float> out(values.size());
    ASSERT_TRUE(DecodeFrame(MustEncode(spec, values), absl::MakeSpan(out)).ok());
    for (size_t i = 0; i < values.size(); ++i) {
      const float relative = std::abs(values[i]) * (1.0f / 256 + 1e-6f);
      const float smallest_step = 42.0f * 2 / 31.875f * std::ldexp(1.0f, -9);
      ASSERT_NEAR(out[i], values[i], std::max(relative, smallest_step / 2)) << i;
    }
  }
}

TEST(FloatCodecTest, WithoutScaleS1E8M23IsTheIdentity) {
  const std::vector<float> values = {0.0f, -0.0f, 1e-45f, -1e-39f, FLT_MIN, 3.14159274f, -FLT_MAX};
  const std::string frame = MustEncode(CodecSpec::Float(8, 23, ScaleRule::kNone), values);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(LoadLittle<uint32_t>(frame.data() + kFrameHeaderSize + 8 + 4 * i), FloatBits(values[i]));
  }
  std::vector<float> out(values.size());
  ASSERT_TRUE(DecodeFrame(frame, absl::MakeSpan(out)).ok());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(FloatBits(out[i]), FloatBits(values[i]));
}

TEST(FloatCodecTest, TheLargestFloatsSaturateInsteadOfDecodingToInfinity) {
  for (const ScaleRule rule : {ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    for (int exponent = 2; exponent <= 8; ++exponent) {
      for (int mantissa = 0; mantissa <= 23; ++mantissa) {
        std::vector<float> out(2);
        const std::string frame = MustEncode(CodecSpec::Float(exponent, mantissa, rule), {FLT_MAX, -FLT_MAX});
        ASSERT_TRUE(DecodeFrame(frame, absl::MakeSpan(out)).ok()) << exponent << " " << mantissa;
        ASSERT_TRUE(std::isfinite(out[0]) && out[0] >= FLT_MAX / 2 && out[1] == -out[0]) << out[0];
      }
    }
  }
}

TEST(FloatCodecTest, RefusesNanAndInfinityWhereverTheyStandAndLeavesTheFrame) {
  for (const CodecSpec& spec : {CodecSpec::Fp32(), CodecSpec::Float(3, 7, ScaleRule::kNone),
                                CodecSpec::Float(8, 7, ScaleRule::kNone), CodecSpec::Float(8, 23, ScaleRule::kNone)}) {
    for (const float bad : {kInfinity, -kInfinity, kNan}) {
      for (size_t at = 0; at < 70; ++at) {
        std::vector<float> values(70, 0.5f);
        values[at] = bad;
        std::string frame = "before";
        ASSERT_EQ((*MakeCodec(spec))->Encode(values, 1, &frame).code(), absl::StatusCode::kInvalidArgument);
        ASSERT_EQ(frame, "before");
      }
    }
  }
}

TEST(FloatCodecTest, RefusesAScaleThatItsRuleCannotChoose) {
  std::string frame;
  const std::vector<float> values = {1.0f};
  for (const float scale : {0.0f, -1.0f, kNan, 1.5f}) {
    EXPECT_FALSE((*MakeCodec(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo)))->Encode(values, scale, &frame).ok());
    EXPECT_FALSE((*MakeCodec(CodecSpec::Fp32()))->Encode(values, scale, &frame).ok());
  }
  EXPECT_TRUE(frame.empty());
}

TEST(FloatCodecTest, FramesAppendToWhatIsThere) {
  std::string frames = "x";
  ASSERT_TRUE((*MakeCodec(CodecSpec::Fp32()))->Encode({1.0f}, 1, &frames).ok());
  ASSERT_TRUE((*MakeCodec(CodecSpec::Float(3, 7, ScaleRule::kNone)))->Encode({2.0f}, 1, &frames).ok());
  ASSERT_EQ(frames.size(), 1u + 20 + 26);
  float out = 0;
  ASSERT_TRUE(DecodeFrame(absl::string_view(frames).substr(1, 20), absl::MakeSpan(&out, 1)).ok());
  EXPECT_EQ(out, 1.0f);
  ASSERT_TRUE(DecodeFrame(absl::string_view(frames).substr(21), absl::MakeSpan(&out, 1)).ok());
  EXPECT_EQ(out, 2.0f);
}

TEST(IntCodecTest, KeepsEveryValue) {
  const std::vector<int64_t> values = {0, -1, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  std::string frame;
  EncodeIntFrame(values, &frame);
  std::vector<int64_t> out(values.size());
  ASSERT_TRUE(DecodeIntFrame(frame, absl::MakeSpan(out)).ok());
  EXPECT_EQ(out, values);
}

TEST(FrameInfoTest, SaysWhatTheFrameHolds) {
  const auto info = ReadFrameInfo(MustEncode(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), {63.0f, 1.0f, 0.0f}));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->codec, CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo));
  EXPECT_EQ(info->count, 3u);
  EXPECT_EQ(info->scale, 2.0f);
  EXPECT_EQ(info->body_size, 8u + 5);
  const auto fp32 = ReadFrameInfo(MustEncode(CodecSpec::Fp32(), {1.0f}));
  ASSERT_TRUE(fp32.ok());
  EXPECT_EQ(fp32->codec, CodecSpec::Fp32());
}

}  // namespace
}  // namespace thinwire
