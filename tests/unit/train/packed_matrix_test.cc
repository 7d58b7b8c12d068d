#include "client/train/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/codec/codec.h"
#include "common/codec/float_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using Rounding = PackedFormat::Rounding;

std::vector<float> Weights(size_t count, double deviation = 0.02, double mean = 0) {
  RandomStream random(17);
  std::vector<float> values(count);
  for (float& value : values) {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += random.NextDouble() - 0.5;
    value = static_cast<float>(mean + deviation * sum * std::sqrt(3.0));
  }
  return values;
}

PackedFormat Format(int exponent_bits, int mantissa_bits, Rounding rounding, bool correction = false,
                    ScaleRule scale = ScaleRule::kPowerOfTwo) {
  PackedFormat format;
  format.format = {exponent_bits, mantissa_bits};
  format.scale = scale;
  format.rounding = rounding;
  format.correction = correction;
  return format;
}

std::vector<float> Expanded(const PackedMatrix& matrix) {
  std::vector<float> values(matrix.count());
  matrix.Expand(absl::MakeSpan(values));
  return values;
}

double MeanSquare(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum / static_cast<double>(a.size());
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<std::pair<std::string, PackedFormat>> AllRules() {
  std::vector<std::pair<std::string, PackedFormat>> rules;
  for (const ScaleRule scale : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    for (const Rounding rounding : {Rounding::kNearestEven, Rounding::kTruncate, Rounding::kStochastic}) {
      for (const bool correction : {false, true}) {
        rules.emplace_back(std::to_string(static_cast<int>(scale)) + std::to_string(static_cast<int>(rounding)) +
                               (correction ? "c" : ""),
                           Format(3, 7, rounding, correction, scale));
      }
    }
  }
  return rules;
}

TEST(PackedMatrix, ValuesComeBackWithinOneStepUnderEveryRule) {
  const std::vector<float> weights = Weights(10'000);
  for (const auto& [name, format] : AllRules()) {
    PackedMatrix matrix(weights.size(), format);
    ASSERT_TRUE(matrix.Pack(weights, 5).ok()) << name;
    const std::vector<float> values = Expanded(matrix);
    // Of the largest number that occurs, about 0.07; without a scale all weights are subnormal. A correction may move
    // values a little further.
    const double step = (format.scale == ScaleRule::kNone ? 0.25 : 0.14) / 128 * (format.correction ? 1.5 : 1);
    for (size_t i = 0; i < weights.size(); ++i) ASSERT_NEAR(values[i], weights[i], step) << name << " " << i;
  }
}

TEST(PackedMatrix, PackingWhatItHoldsChangesNothingUnderEveryRule) {
  const std::vector<float> weights = Weights(9'000, 0.02, 0.003);
  for (const auto& [name, format] : AllRules()) {
    PackedMatrix matrix(weights.size(), format, {false, true, false});
    ASSERT_TRUE(matrix.Pack(weights, 5).ok());
    const std::vector<float> before = Expanded(matrix);
    for (uint64_t step = 0; step < 1000; ++step) ASSERT_TRUE(matrix.Pack(Expanded(matrix), step).ok());
    EXPECT_TRUE(SameBits(Expanded(matrix), before)) << name;
  }
}

TEST(PackedMatrix, FullWidthIsExact) {
  std::vector<float> weights = Weights(5'000);
  weights[0] = -0.0f;
  weights[1] = std::numeric_limits<float>::denorm_min();
  weights[2] = std::numeric_limits<float>::max();
  PackedMatrix matrix(weights.size(), Format(8, 23, Rounding::kStochastic, false, ScaleRule::kNone));
  ASSERT_TRUE(matrix.Pack(weights, 5).ok());
  EXPECT_TRUE(SameBits(Expanded(matrix), weights));
}

TEST(PackedMatrix, ExactBlocksAreExactAndTheOthersAreNot) {
  const std::vector<float> weights = Weights(4 * PackedMatrix::kBlock - 100);
  PackedMatrix matrix(weights.size(), Format(3, 7, Rounding::kNearestEven), {false, true, false, true});
  ASSERT_TRUE(matrix.Pack(weights, 5).ok());
  const std::vector<float> values = Expanded(matrix);
  for (size_t block = 0; block < 4; ++block) {
    const size_t first = block * PackedMatrix::kBlock;
    const bool same = std::memcmp(&values[first], &weights[first], matrix.block_size(block) * sizeof(float)) == 0;
    EXPECT_EQ(same, block % 2 == 1) << block;
  }
}

// 0.9 * 11 + 0.1 * 32 bits, and what places and scales cost.
TEST(PackedMatrix, TakesTheMemoryOfItsCodes) {
  const size_t blocks = 250;
  std::vector<bool> exact(blocks);
  for (size_t i = 0; i < blocks; i += 10) exact[i] = true;
  const PackedMatrix matrix(blocks * PackedMatrix::kBlock, Format(3, 7, Rounding::kStochastic), exact);
  const double share = static_cast<double>(matrix.memory()) / static_cast<double>(4 * matrix.count());
  EXPECT_GT(share, (0.9 * 11 + 0.1 * 32) / 32);
  EXPECT_LT(share, (0.9 * 11 + 0.1 * 32) / 32 + 0.001);
}

TEST(PackedMatrix, StochasticRoundingKeepsStepsThatNearestRoundingLoses) {
  const std::vector<float> weights(PackedMatrix::kBlock, 1.0f);
  const float step = 1.0f / 1024;  // a tenth of the distance of codes at 1
  const auto walk = [&](Rounding rounding) {
    PackedMatrix matrix(weights.size(), Format(3, 7, rounding));
    EXPECT_TRUE(matrix.Pack(weights, 0).ok());
    for (uint64_t i = 1; i <= 100; ++i) {
      std::vector<float> values = Expanded(matrix);
      for (float& value : values) value += step;
      EXPECT_TRUE(matrix.Pack(values, i).ok());
    }
    const std::vector<float> values = Expanded(matrix);
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  EXPECT_EQ(walk(Rounding::kNearestEven), 1.0);
  EXPECT_NEAR(walk(Rounding::kStochastic), 1 + 100 * step, 0.002);
}

TEST(PackedMatrix, StochasticRoundingDependsOnTheKeyAlone) {
  const std::vector<float> weights = Weights(10'000);
  std::vector<std::vector<float>> packed;
  for (const uint64_t key : {1, 1, 2}) {
    PackedMatrix matrix(weights.size(), Format(3, 3, Rounding::kStochastic));
    ASSERT_TRUE(matrix.Pack(weights, key).ok());
    packed.push_back(Expanded(matrix));
  }
  EXPECT_TRUE(SameBits(packed[0], packed[1]));
  EXPECT_FALSE(SameBits(packed[0], packed[2]));
  // Blocks have different numbers, too: the same values are not rounded alike in two of them.
  PackedMatrix twice(2 * PackedMatrix::kBlock, Format(3, 3, Rounding::kStochastic));
  std::vector<float> same(2 * PackedMatrix::kBlock, 0.3f);
  ASSERT_TRUE(twice.Pack(same, 1).ok());
  const std::vector<float> values = Expanded(twice);
  EXPECT_FALSE(SameBits({values.begin(), values.begin() + PackedMatrix::kBlock},
                        {values.begin() + PackedMatrix::kBlock, values.end()}));
}

// What was found on real weights: the correction mends truncation and does nothing for rounding to nearest.
TEST(PackedMatrix, TheCorrectionMendsTruncation) {
  const std::vector<float> weights = Weights(40'960);
  const auto error = [&](const PackedFormat& format) {
    PackedMatrix matrix(weights.size(), format);
    EXPECT_TRUE(matrix.Pack(weights, 1).ok());
    return MeanSquare(Expanded(matrix), weights);
  };
  const double truncated = error(Format(3, 7, Rounding::kTruncate)),
               nearest = error(Format(3, 7, Rounding::kNearestEven));
  EXPECT_LT(error(Format(3, 7, Rounding::kTruncate, true)), 0.5 * truncated);
  EXPECT_NEAR(error(Format(3, 7, Rounding::kNearestEven, true)) / nearest, 1, 0.01);
}

TEST(PackedMatrix, TheCorrectionOfEqualValuesIsTheirOffset) {
  for (const float value : {0.0f, 0.013f, -7.7f}) {
    PackedMatrix matrix(100, Format(2, 1, Rounding::kTruncate, true));
    ASSERT_TRUE(matrix.Pack(std::vector<float>(100, value), 1).ok());
    for (const float got : Expanded(matrix)) EXPECT_NEAR(got, value, 1e-6 * std::abs(value));
  }
}

// Values of very different size in each group.
TEST(PackedMatrix, GroupsHaveScalesOfTheirOwn) {
  std::vector<float> weights = Weights(2 * PackedMatrix::kBlock + 40);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] *= std::pow(2.0f, -static_cast<float>(i / 64 % 20));
  for (const ScaleRule rule : {ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    double errors[2];
    for (const int shared : {6, 12}) {
      PackedFormat format = Format(2, 3, Rounding::kNearestEven, false, rule);
      format.scale_group_log2 = shared;
      PackedMatrix matrix(weights.size(), format);
      ASSERT_TRUE(matrix.Pack(weights, 1).ok());
      const std::vector<float> values = Expanded(matrix);
      errors[shared == 12] = 0;
      for (size_t i = 0; i < weights.size(); ++i) {
        errors[shared == 12] += std::abs(values[i] - weights[i]) / (std::abs(weights[i]) + 1e-30);
      }
      const double groups = static_cast<double>(weights.size()) / (1 << shared);
      const double codes = static_cast<double>(weights.size()) * 6 / 8;
      EXPECT_NEAR(static_cast<double>(matrix.memory()), codes + groups * (rule == ScaleRule::kPowerOfTwo ? 1 : 4), 400);
    }
    EXPECT_LT(errors[0], 0.5 * errors[1]);
  }
}

TEST(PackedMatrix, RefusesWhatIsNotFiniteAndKeepsTheBlock) {
  const std::vector<float> weights = Weights(5'000);
  PackedMatrix matrix(weights.size(), Format(3, 7, Rounding::kStochastic));
  ASSERT_TRUE(matrix.Pack(weights, 1).ok());
  const std::vector<float> before = Expanded(matrix);
  std::vector<float> bad(before.begin(), before.begin() + PackedMatrix::kBlock);
  bad[77] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(matrix.PackBlock(0, bad, 2).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SameBits(Expanded(matrix), before));
}

TEST(PackedFormat, RefusesWhatCannotExist) {
  EXPECT_TRUE(Format(3, 7, Rounding::kStochastic, true).Validate().ok());
  EXPECT_THAT(std::string(Format(1, 7, Rounding::kStochastic).Validate().message()),
              testing::HasSubstr("exponent_bits is 1"));
  PackedFormat groups = Format(3, 7, Rounding::kStochastic);
  groups.scale_group_log2 = 13;
  EXPECT_THAT(std::string(groups.Validate().message()), testing::HasSubstr("2^13"));
}

// Codecs of every rule of scales, with and without correction, large and small groups, and a matrix of their form.
std::vector<std::pair<CodecSpec, PackedFormat>> FramesAndForms() {
  std::vector<std::pair<CodecSpec, PackedFormat>> all;
  for (const char* scale : {"none", "pow2", "absmax"}) {
    for (const char* group : {"64", "512", "4096"}) {
      if (scale == std::string("none") && group != std::string("4096")) continue;  // no scale to share
      for (const char* correction : {"", "+correction"}) {
        for (const Rounding rounding : {Rounding::kStochastic, Rounding::kNearestEven}) {
          const CodecSpec codec = *CodecSpec::Parse(absl::StrCat("s1e2m5:", scale, "/", group, correction));
          PackedFormat format = Format(2, 5, rounding, codec.blocks.correction, codec.scale);
          format.scale_group_log2 = codec.blocks.scale_group_log2;
          all.emplace_back(codec, format);
        }
      }
    }
  }
  return all;
}

// Two blocks of the codec, the second short; row blocks 1 and 17 are exact.
struct TwoFrames {
  explicit TwoFrames(const CodecSpec& codec) : decoded(kBlockValues + 5000) {
    const std::vector<float> weights = Weights(decoded.size(), 0.02, 0.001);
    const auto encoder = *MakeCodec(codec);
    for (size_t i = 0; i < 2; ++i) {
      const size_t first = i * kBlockValues, count = BlockSize(decoded.size(), i);
      EXPECT_TRUE(encoder->EncodePartly(absl::MakeConstSpan(weights).subspan(first, count), 1, 2, &frames[i]).ok());
      EXPECT_TRUE(DecodeFrame(frames[i], absl::MakeSpan(decoded).subspan(first, count)).ok());
    }
    exact.assign(PackedMatrix::BlocksOf(decoded.size()), false);
    exact[1] = exact[17] = true;
  }

  std::string frames[2];
  std::vector<float> decoded;
  std::vector<bool> exact;
};

TEST(PackedMatrix, HoldsFramesAsTheyAreUnderEveryRule) {
  for (const auto& [codec, format] : FramesAndForms()) {
    SCOPED_TRACE(codec.Name());
    const TwoFrames two(codec);
    PackedMatrix matrix(two.decoded.size(), format, two.exact);
    ASSERT_TRUE(matrix.Pack(Weights(two.decoded.size(), 5), 1).ok());  // nothing of what was there may stay
    for (size_t i = 0; i < 2; ++i) {
      const absl::StatusOr<bool> held = matrix.HoldFrame(i * kRowBlocksPerBlock, two.frames[i]);
      ASSERT_TRUE(held.ok()) << held.status();
      EXPECT_TRUE(*held);
    }
    EXPECT_TRUE(SameBits(Expanded(matrix), two.decoded));
    // The matrix that was made from the values instead, by scales of its own choice, agrees where those are exact.
    PackedMatrix packed(two.decoded.size(), format, two.exact);
    ASSERT_TRUE(packed.Pack(two.decoded, 1).ok());
    if (codec.scale != ScaleRule::kAbsMax && !codec.blocks.correction) {
      EXPECT_TRUE(SameBits(Expanded(packed), two.decoded));
    }
  }
}

TEST(PackedMatrix, FramesOfAnotherFormAreLeftAlone) {
  const TwoFrames two(*CodecSpec::Parse("s1e2m5:absmax/64"));
  PackedFormat same = Format(2, 5, Rounding::kStochastic, false, ScaleRule::kAbsMax);
  same.scale_group_log2 = 6;
  const auto holds = [&](const PackedFormat& format, std::vector<bool> exact, size_t block, const std::string& frame) {
    PackedMatrix matrix(two.decoded.size(), format, std::move(exact));
    EXPECT_TRUE(matrix.Pack(two.decoded, 1).ok());
    const std::vector<float> before = Expanded(matrix);
    const absl::StatusOr<bool> held = matrix.HoldFrame(block, frame);
    if (!held.ok() || !*held) {
      EXPECT_TRUE(SameBits(Expanded(matrix), before));
    }
    return held;
  };
  EXPECT_TRUE(*holds(same, two.exact, 0, two.frames[0]));
  PackedFormat other = same;
  other.format = {3, 4};
  EXPECT_FALSE(*holds(other, two.exact, 0, two.frames[0]));
  other = same;
  other.scale = ScaleRule::kPowerOfTwo;
  EXPECT_FALSE(*holds(other, two.exact, 0, two.frames[0]));
  other = same;
  other.scale_group_log2 = 7;
  EXPECT_FALSE(*holds(other, two.exact, 0, two.frames[0]));
  other = same;
  other.rounding = Rounding::kNearestEven;
  other.correction = true;
  EXPECT_FALSE(*holds(other, two.exact, 0, two.frames[0]));
  EXPECT_FALSE(*holds(same, {}, 0, two.frames[0]));  // no exact row blocks
  std::string fp32;
  ASSERT_TRUE((*MakeCodec(CodecSpec::Fp32()))->Encode(absl::MakeConstSpan(two.decoded).subspan(0, 8), 1, &fp32).ok());
  EXPECT_FALSE(*holds(same, two.exact, 0, fp32));

  EXPECT_EQ(holds(same, two.exact, 16, two.frames[0]).status().code(), absl::StatusCode::kInvalidArgument);
  std::string damaged = two.frames[0];
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(holds(same, two.exact, 0, damaged).status().code(), absl::StatusCode::kDataLoss);
}

// What the momentum and the steps after it do with such a block is as with any other.
TEST(PackedMatrix, AFrameThatIsHeldKeepsItsBytesUntilAValueMoves) {
  const TwoFrames two(*CodecSpec::Parse("s1e2m5:absmax/64"));
  PackedFormat format = Format(2, 5, Rounding::kStochastic, false, ScaleRule::kAbsMax);
  format.scale_group_log2 = 6;
  PackedMatrix matrix(two.decoded.size(), format, two.exact);
  ASSERT_TRUE(*matrix.HoldFrame(0, two.frames[0]));
  ASSERT_TRUE(*matrix.HoldFrame(16, two.frames[1]));
  for (uint64_t step = 0; step < 10; ++step) {
    std::vector<float> same = Expanded(matrix);
    for (float& value : same) value += 0.0f;  // -0 becomes 0, which is the same number
    ASSERT_TRUE(matrix.Pack(same, step).ok());
  }
  EXPECT_TRUE(SameBits(Expanded(matrix), two.decoded));
  EXPECT_NE(std::count_if(two.decoded.begin(), two.decoded.end(), [](float v) { return v == 0 && std::signbit(v); }),
            0);
  std::vector<float> moved = two.decoded;
  moved[3] += 0.01f;
  ASSERT_TRUE(matrix.Pack(moved, 11).ok());
  const std::vector<float> after = Expanded(matrix);
  EXPECT_FALSE(SameBits(after, two.decoded));
  EXPECT_EQ(std::memcmp(&after[4096], &two.decoded[4096], (after.size() - 4096) * sizeof(float)), 0);
}

// A tensor that has one scale, and a matrix of its format.
TEST(PackedMatrix, HoldsFramesOfATensorWithOneScaleAsTheyAre) {
  const std::vector<float> weights = Weights(kBlockValues + 5000, 0.02, 0.001);
  for (const ScaleRule scale : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    for (const int mantissa_bits : {4, 5, 7}) {  // codes of 7, 8 and 10 bits
      SCOPED_TRACE(absl::StrCat(static_cast<int>(scale), " m", mantissa_bits));
      const auto encoder = *MakeCodec(CodecSpec::Float(2, mantissa_bits, scale));
      const float one = scale == ScaleRule::kNone ? 1 : scale == ScaleRule::kAbsMax ? 0.0123f : 0x1p-6f;
      PackedMatrix matrix(weights.size(), Format(2, mantissa_bits, Rounding::kStochastic, false, scale));
      std::vector<float> decoded(weights.size());
      for (size_t i = 0; i < 2; ++i) {
        const size_t first = i * kBlockValues, count = BlockSize(decoded.size(), i);
        std::string frame;
        ASSERT_TRUE(encoder->Encode(absl::MakeConstSpan(weights).subspan(first, count), one, &frame).ok());
        ASSERT_TRUE(DecodeFrame(frame, absl::MakeSpan(decoded).subspan(first, count)).ok());
        const absl::StatusOr<bool> held = matrix.HoldFrame(i * kRowBlocksPerBlock, frame);
        ASSERT_TRUE(held.ok()) << held.status();
        EXPECT_TRUE(*held);
      }
      EXPECT_TRUE(SameBits(Expanded(matrix), decoded));
      ASSERT_TRUE(matrix.Pack(decoded, 3).ok());
      EXPECT_TRUE(SameBits(Expanded(matrix), decoded));
    }
  }
}

TEST(PackedMatrix, WhatComesInNoFrameIsRoundedToNearestWhateverTheRounding) {
  const std::vector<float> weights = Weights(PackedMatrix::kBlock);
  for (const bool correction : {false, true}) {
    PackedMatrix nearest(weights.size(), Format(2, 3, Rounding::kNearestEven, correction));
    ASSERT_TRUE(nearest.Pack(weights, 1).ok());
    for (const Rounding rounding : {Rounding::kTruncate, Rounding::kStochastic}) {
      PackedMatrix matrix(weights.size(), Format(2, 3, rounding, correction));
      ASSERT_TRUE(matrix.HoldBlock(0, weights).ok());
      EXPECT_TRUE(SameBits(Expanded(matrix), Expanded(nearest)));
    }
  }
}

// The part of where it began that is left in a matrix which moves to and fro at random.
TEST(PackedMatrix, StochasticRoundingUnderACorrectionShrinksNothing) {
  const CodecSpec codec = *CodecSpec::Parse("s1e2m3:pow2/4096+truncate+correction");
  const std::vector<float> weights = Weights(PackedMatrix::kBlock, 0.02, 0.003);
  std::string frame;
  ASSERT_TRUE((*MakeCodec(codec))->Encode(weights, 1, &frame).ok());
  PackedMatrix matrix(weights.size(), Format(2, 3, Rounding::kStochastic, true));
  ASSERT_TRUE(*matrix.HoldFrame(0, frame));
  const std::vector<float> before = Expanded(matrix);
  RandomStream random(3);
  for (uint64_t step = 1; step <= 200; ++step) {
    std::vector<float> values = Expanded(matrix);
    for (float& value : values) value += 0.004f * (static_cast<float>(random.NextDouble()) - 0.5f);
    ASSERT_TRUE(matrix.Pack(values, step).ok());
  }
  const std::vector<float> after = Expanded(matrix);
  EXPECT_FALSE(SameBits(after, before));
  EXPECT_NEAR(std::inner_product(after.begin(), after.end(), before.begin(), 0.0) /
                  std::inner_product(before.begin(), before.end(), before.begin(), 0.0),
              1, 0.03);
}

}  // namespace
}  // namespace thinwire
