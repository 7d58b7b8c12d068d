#include "common/codec/line_fit.h"

#include <cfloat>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

Line Fit(const std::vector<float>& x, const std::vector<float>& y) { return FitLine(x, y); }

void ExpectLine(const Line& line, float slope, float offset) {
  EXPECT_FLOAT_EQ(line.slope, slope);
  EXPECT_FLOAT_EQ(line.offset, offset);
}

// By hand, for the matrix {{1, 2}, {3, 5}} truncated to {{1, 2}, {2, 4}}: n = 4, sum x = 9, sum y = 11, sum xx = 25,
// sum xy = 31; slope (4 * 31 - 9 * 11) / (4 * 25 - 81) = 25 / 19, offset (11 - 9 * 25 / 19) / 4 = -4 / 19.
TEST(LineFit, OfATwoByTwoMatrixIsTheOneComputedByHand) {
  ExpectLine(Fit({1, 2, 2, 4}, {1, 2, 3, 5}), 25.0f / 19, -4.0f / 19);
}

TEST(LineFit, APerfectFitIsFoundExactly) { ExpectLine(Fit({0, 1, 2, 3}, {0.5f, 2.5f, 4.5f, 6.5f}), 2, 0.5f); }

TEST(LineFit, EqualCodesGetTheMeanDifferenceAsOffset) {
  ExpectLine(Fit({2, 2, 2, 2}, {1, 2, 3, 5}), 1, 0.75f);
  ExpectLine(Fit({0, 0}, {0, 0}), 1, 0);
  ExpectLine(Fit({3}, {4}), 1, 1);
}

TEST(LineFit, TheOrderOfValuesIsNeverTurnedAround) { ExpectLine(Fit({0, 1, 2}, {2, 1, 0}), 1, 0); }

TEST(LineFit, NoValuesAndUnlawfulLinesGiveTheIdentity) {
  ExpectLine(Fit({}, {}), 1, 0);
  // The slope would be 2^200.
  ExpectLine(Fit({-0x1p-100f, 0x1p-100f}, {-0x1p100f, 0x1p100f}), 1, 0);
}

TEST(LineFit, LawfulAreAPositiveNormalSlopeAndAFiniteOffset) {
  EXPECT_TRUE(IsLawful({1, -3}));
  for (const float slope :
       {0.0f, -1.0f, FLT_MIN / 2, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FALSE(IsLawful({slope, 0})) << slope;
  }
  EXPECT_FALSE(IsLawful({1, std::numeric_limits<float>::infinity()}));
}

TEST(LineFit, AppliesAsAMultiplicationAndAnAddition) {
  std::vector<float> values = {1, 2, -4};
  ApplyLine({0.5f, 3}, absl::MakeSpan(values));
  EXPECT_EQ(values, (std::vector<float>{3.5f, 4, 1}));
}

}  // namespace
}  // namespace thinwire
