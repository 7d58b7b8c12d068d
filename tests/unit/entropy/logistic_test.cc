#include "common/entropy/logistic.h"

#include <cmath>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(Logistic, SquashIsTheLogisticFunctionToHalfAUnit) {
  for (int x = -kMaxLogOdds; x <= kMaxLogOdds; ++x) {
    const double expected = kProbabilityOne / (1 + std::exp(-x / 256.0));
    ASSERT_NEAR(Squash(Logistic(), x), expected, 0.51) << x;
  }
}

TEST(Logistic, SquashStaysBetweenZeroAndOneBeyondItsLimits) {
  EXPECT_EQ(Squash(Logistic(), 1 << 30), Squash(Logistic(), kMaxLogOdds));
  EXPECT_EQ(Squash(Logistic(), -(1 << 30)), 1);
  EXPECT_EQ(Squash(Logistic(), 1 << 30), kProbabilityOne - 1);
}

TEST(Logistic, StretchIsTheInverseOfSquash) {
  for (int p = 1; p < kProbabilityOne; ++p) {
    const double expected = 256 * std::log(p / static_cast<double>(kProbabilityOne - p));
    const double steepness = 256.0 * kProbabilityOne / (static_cast<double>(p) * (kProbabilityOne - p));
    // Half a unit of the table's own, and what a step of p (of 16 in the middle) makes.
    ASSERT_NEAR(Stretch(Logistic(), p), expected, 1.1 + 9 * steepness) << p;
    if (p > 1) {
      ASSERT_GE(Stretch(Logistic(), p) + 1, Stretch(Logistic(), p - 1)) << p;
    }
  }
}

TEST(Logistic, CostIsTheLengthOfAnIdealCode) {
  for (int p = 16; p < kProbabilityOne; p += 16) {
    ASSERT_NEAR(CostInBits(Logistic(), p), 16 - std::log2(p), 0.001) << p;
  }
  EXPECT_GT(CostInBits(Logistic(), 1), 13);
}

}  // namespace
}  // namespace thinwire
