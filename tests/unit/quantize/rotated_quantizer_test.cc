// EDEN and DRIVE.
#include "common/quantize/rotated_quantizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/quantize/rotation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

QuantizeOptions Rate(double bits, size_t count, uint64_t seed = 0) {
  QuantizeOptions options;
  options.budget_bits = 400 + static_cast<uint64_t>(bits * static_cast<double>(count));
  options.seed = seed;
  return options;
}

TEST(RotationTest, BlocksAreThePowersOfTwoOfTheCount) {
  const std::vector<RotationBlock> blocks = RotationBlocks(552874, 24);
  uint64_t values = 0, padded = 0;
  for (const RotationBlock& block : blocks) {
    EXPECT_EQ(block.first, values);
    EXPECT_EQ(block.padded & (block.padded - 1), 0u);
    values += block.size;
    padded += block.padded;
  }
  EXPECT_EQ(values, 552874u);
  EXPECT_LT(padded, 552874u + 64);  // as a whole it would be padded to 1,048,576
  EXPECT_EQ(RotationBlocks(1, 16)[0].padded, 1u);
  EXPECT_EQ(RotationBlocks(0, 16).size(), 0u);
  EXPECT_EQ(RotationBlocks(1 << 20, 16).size(), 16u);
}

TEST(RotationTest, RotatingBackIsTheValuesTimesTheSize) {
  const Tensors values = RandomUpdate(1, {1024});
  std::vector<float> z = values[0];
  Rotate(5, absl::MakeSpan(z));
  double energy = 0, rotated = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    energy += double{values[0][i]} * values[0][i];
    rotated += double{z[i]} * z[i];
  }
  EXPECT_NEAR(rotated / energy, 1024, 0.01);
  RotateBack(5, absl::MakeSpan(z));
  for (size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(z[i] / 1024, values[0][i], 1e-6);
}

// Vargaftik et al. 2022: the distortion of a normal variable at 1 to 4 bits, .363, .1175, .0345 and .0095, and
// 1 / (1 - D) - 1 without bias, .571, .133, .0358 and .0096.
TEST(RotatedQuantizerTest, ErrorsAreThoseOfTheNormalVariable) {
  const Tensors update = RandomUpdate(3, {1 << 15}, 0.8);
  const double biased[] = {0.3634, 0.1175, 0.0345, 0.0095};
  const double unbiased[] = {0.571, 0.133, 0.0358, 0.0096};
  for (int bits = 1; bits <= 4; ++bits) {
    const QuantizeOptions options = Rate(bits, 1 << 15);
    EXPECT_NEAR(Error(update, RoundTrip(QuantizerSpec::Rotated(false), update, options)) / biased[bits - 1], 1, 0.05);
    EXPECT_NEAR(Error(update, RoundTrip(QuantizerSpec::Rotated(true), update, options)) / unbiased[bits - 1], 1, 0.05);
  }
}

TEST(RotatedQuantizerTest, FractionsOfABitLieBetween) {
  const Tensors update = RandomUpdate(3, {10000, 3001}, 0.8);
  double last = 1;
  for (const double bits : {0.05, 0.3, 0.7, 1.0, 1.5, 2.25, 3.9, 7.5}) {
    const double error = Error(update, RoundTrip(QuantizerSpec::Rotated(false), update, Rate(bits, 13001)));
    EXPECT_LT(error, last) << bits;
    last = error;
  }
  // Below one bit: kept with that chance, else 0.
  EXPECT_NEAR(Error(update, RoundTrip(QuantizerSpec::Rotated(false), update, Rate(0.5, 13001))), 1 - 0.5 * 0.637, 0.02);
}

// How far the mean over seeds lies from the values, as a sum of squared standard scores: about one for each value if
// there is no bias.
double ChiSquare(const QuantizerSpec& spec, const std::vector<float>& values, double bits, int trials) {
  const Tensors update = {values};
  std::vector<double> mean(values.size()), square(values.size());
  for (int trial = 0; trial < trials; ++trial) {
    const Tensors decoded = RoundTrip(spec, update, Rate(bits, values.size(), static_cast<uint64_t>(trial)));
    for (size_t i = 0; i < values.size(); ++i) {
      mean[i] += decoded[0][i] / double{static_cast<double>(trials)};
      square[i] += double{decoded[0][i]} * decoded[0][i] / trials;
    }
  }
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += std::pow(mean[i] - values[i], 2) / ((square[i] - mean[i] * mean[i]) / trials);
  }
  return sum;
}

TEST(RotatedQuantizerTest, WithTheUnbiasedScaleTheMeanOverSeedsIsTheValue) {
  const std::vector<float> values = RandomUpdate(4, {256}, 1.5)[0];
  const double limit = 256 + 6 * std::sqrt(2 * 256.0);
  for (const double bits : {0.4, 1.0, 1.5, 2.0}) {
    EXPECT_LT(ChiSquare(QuantizerSpec::Rotated(true), values, bits, 2000), limit) << bits;
  }
  // The control: the scale of least error shrinks, and shows.
  EXPECT_GT(ChiSquare(QuantizerSpec::Rotated(false), values, 1, 2000), 2 * limit);
}

TEST(RotatedQuantizerTest, TwoRotationsTakeTheBiasFromAVectorOfFewLargeValues) {
  std::vector<float> values(256, 0.0f);
  values[3] = 1;
  values[100] = 0.2f;
  values[101] = -0.1f;
  for (size_t i = 0; i < 256; ++i) values[i] += 1e-4f * static_cast<float>(static_cast<int>(i % 7) - 3);
  QuantizerSpec twice = QuantizerSpec::Rotated(true);
  twice.rotations = 2;
  const double limit = 256 + 6 * std::sqrt(2 * 256.0);
  EXPECT_GT(ChiSquare(QuantizerSpec::Rotated(true), values, 1, 1000), limit);
  EXPECT_LT(ChiSquare(twice, values, 1, 1000), limit);
}

TEST(RotatedQuantizerTest, TheBiasedScaleIsContractive) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Tensors update = RandomUpdate(seed, {200, 77, 1}, 0.3 + 0.2 * static_cast<double>(seed));
    for (const double bits : {0.2, 1.0, 3.0}) {
      EXPECT_LT(Error(update, RoundTrip(QuantizerSpec::Rotated(false), update, Rate(bits, 278))), 1);
    }
  }
}

TEST(RotatedQuantizerTest, BudgetsBelowItsScalesAreRefusedWithWhatItTakes) {
  QuantizeOptions options;
  options.budget_bits = 100;
  const Tensors update = {{1, 2, 3}};
  EXPECT_THAT(QuantizeUpdate(QuantizerSpec::Rotated(true), View(update), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes at least")));
  QuantizerSpec spec = QuantizerSpec::Rotated(true);
  spec.rotations = 3;
  EXPECT_THAT(QuantizeUpdate(spec, View(update), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 or 2")));
  spec.rotations = 1;
  spec.block_log2 = 25;
  EXPECT_THAT(QuantizeUpdate(spec, View(update), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("25")));
}

}  // namespace
}  // namespace thinwire
