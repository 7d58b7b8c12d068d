#include "common/quantize/qsgd_quantizer.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

QuantizeOptions Budget(uint64_t bits, uint64_t seed) {
  QuantizeOptions options;
  options.budget_bits = bits;
  options.seed = seed;
  return options;
}

TEST(QsgdQuantizerTest, ValuesAreWholeLevelsOfTheirNorm) {
  const Tensors update = {{3, -4, 0, 0}};
  // 15 bytes: 7 of headers, 4 of the norm 5, 4 of labels, too few to spare for s = 2.
  const Tensors decoded = RoundTrip(QuantizerSpec::Qsgd(0), update, Budget(120, 1));
  EXPECT_THAT(decoded[0][0], testing::AnyOf(0, 5));
  EXPECT_THAT(decoded[0][1], testing::AnyOf(0, -5));
  EXPECT_EQ(decoded[0][2], 0);
}

// The mean over many seeds lies within five standard errors of the value, for every value. Levels chosen by the
// size of the very draws that are sent failed here.
TEST(QsgdQuantizerTest, TheMeanOverSeedsIsTheValue) {
  const Tensors update = RandomUpdate(1, {40, 7});
  for (const uint64_t bucket : {0, 16}) {
    const int trials = 3000;
    Tensors sum = {std::vector<float>(40), std::vector<float>(7)};
    std::vector<double> mean(47), square(47);
    for (int trial = 0; trial < trials; ++trial) {
      const Tensors decoded = RoundTrip(QuantizerSpec::Qsgd(bucket), update, Budget(400, static_cast<uint64_t>(trial)));
      for (size_t i = 0; i < 47; ++i) {
        const double x = i < 40 ? decoded[0][i] : decoded[1][i - 40];
        mean[i] += x / trials;
        square[i] += x * x / trials;
      }
    }
    int never_drawn = 0;  // values so small that 3,000 draws need not hold one
    for (size_t i = 0; i < 47; ++i) {
      if (square[i] == 0) {
        ++never_drawn;
        continue;
      }
      const double truth = i < 40 ? update[0][i] : update[1][i - 40];
      const double deviation = std::sqrt(std::max(square[i] - mean[i] * mean[i], 0.0) / trials);
      EXPECT_NEAR(mean[i], truth, 5 * deviation + 1e-6 * std::fabs(truth)) << "bucket " << bucket << " value " << i;
    }
    EXPECT_LE(never_drawn, 2);
  }
}

TEST(QsgdQuantizerTest, MoreBitsGiveMoreLevelsAndASmallerError) {
  const Tensors update = RandomUpdate(2, {4000}, 1.5);
  double last = 1e30;
  for (const uint64_t bits : {2000, 6000, 12000, 24000, 48000}) {
    const double error = Error(update, RoundTrip(QuantizerSpec::Qsgd(0), update, Budget(bits, 3)));
    EXPECT_LT(error, last) << bits;
    last = error;
  }
}

TEST(QsgdQuantizerTest, BudgetsBelowOneLevelAreRefusedWithWhatItTakes) {
  const Tensors update = RandomUpdate(2, {4000});
  EXPECT_THAT(QuantizeUpdate(QuantizerSpec::Qsgd(0), View(update), Budget(90, 0)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("takes at least")));
}

}  // namespace
}  // namespace thinwire
