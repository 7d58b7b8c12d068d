#include "common/quantize/lloyd_levels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/quantize/gaussian_levels.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

MagnitudeDensity Density(DensityFamily family, double shape, double scale, double low, double high) {
  MagnitudeDensity density;
  density.family = family;
  density.shape = shape;
  density.log_scale = std::log(scale);
  density.low = low;
  density.high = high;
  return density;
}

// The centroid by the midpoint rule, from the density's definition and nothing else.
double CentroidByQuadrature(const MagnitudeDensity& density, double weight_exponent, double from, double to) {
  const int steps = 200000;
  double mass = 0, first = 0;
  for (int i = 0; i < steps; ++i) {
    const double u = from + (to - from) * (i + 0.5) / steps;
    const double power = density.family == DensityFamily::kGeneralisedNormal ? 0 : density.shape - 1;
    const double f =
        std::pow(u, power + weight_exponent) * std::exp(-std::pow(u / std::exp(density.log_scale), density.shape));
    mass += f;
    first += f * u;
  }
  return first / mass;
}

TEST(LloydLevelsTest, OneLevelOfAnExponentialIsKnown) {
  const MagnitudeDensity exponential = Density(DensityFamily::kDoubleWeibull, 1, 0.5, 0, kInfinity);
  // E[u^(M+1)] / E[u^M] = (M + 1) scale, also between integers.
  for (const double m : {0.0, 1.0, 2.0, 2.5, 7.0}) {
    EXPECT_NEAR(LloydLevels(exponential, m, 1).levels[0], 0.5 * (m + 1), 1e-9) << m;
  }
  const MagnitudeDensity beyond = Density(DensityFamily::kDoubleWeibull, 1, 0.5, 3, kInfinity);
  EXPECT_NEAR(LloydLevels(beyond, 0, 1).levels[0], 3.5, 1e-9);
}

TEST(LloydLevelsTest, LevelsOfAFlatDensityAreTheMiddlesOfEqualCells) {
  const MagnitudeDensity flat = Density(DensityFamily::kGeneralisedNormal, 8, 1e3, 0.2, 1);
  const std::vector<double> levels = LloydLevels(flat, 0, 4).levels;
  for (int j = 0; j < 4; ++j) EXPECT_NEAR(levels[static_cast<size_t>(j)], 0.2 + 0.8 * (j + 0.5) / 4, 1e-6);
}

TEST(LloydLevelsTest, LevelsOfTheNormalAreTheConstants) {
  const MagnitudeDensity normal = Density(DensityFamily::kGeneralisedNormal, 2, std::sqrt(2.0), 0, kInfinity);
  // Lloyd's iteration moves many levels slowly: of 32 it leaves them within 1 %, where the distortion is flat.
  for (int bits = 1; bits <= 6; ++bits) {
    const std::vector<double> levels = LloydLevels(normal, 0, 1 << (bits - 1)).levels;
    const absl::Span<const float> constants = GaussianLevels(bits);
    for (size_t j = 0; j < levels.size(); ++j)
      EXPECT_NEAR(levels[j] / constants[j], 1, bits <= 4 ? 1e-4 : 0.01) << bits << " " << j;
  }
  // Max 1960, table I, for 4, 8 and 16 levels.
  EXPECT_NEAR(GaussianLevels(2)[1], 1.510, 5e-4);
  EXPECT_NEAR(GaussianLevels(3)[0], 0.2451, 5e-5);
  EXPECT_NEAR(GaussianLevels(4)[7], 2.733, 5e-4);
  EXPECT_TRUE(std::is_sorted(GaussianLevels(8).begin(), GaussianLevels(8).end()));
}

// Trap: the public code iterates once, from centres that are not sorted, and weights with x^M instead of |x|^M.
TEST(LloydLevelsTest, EveryLevelIsTheWeightedCentroidOfItsNearestCell) {
  for (const DensityFamily family : {DensityFamily::kGeneralisedNormal, DensityFamily::kDoubleWeibull}) {
    for (const double m : {0.0, 1.0, 2.0, 3.5}) {
      const MagnitudeDensity density = Density(family, 0.7, 0.05, 0.03, 1);
      const LloydResult result = LloydLevels(density, m, 8);
      ASSERT_TRUE(std::is_sorted(result.levels.begin(), result.levels.end()));
      EXPECT_GT(result.iterations, 10);
      EXPECT_LT(result.last_move, 1e-6);
      double from = density.low;
      for (size_t j = 0; j < 8; ++j) {
        const double to = j == 7 ? density.high : (result.levels[j] + result.levels[j + 1]) / 2;
        const double centroid = CentroidByQuadrature(density, m, from, to);
        EXPECT_NEAR(result.levels[j] / centroid, 1, 1e-5) << "M " << m << " level " << j;
        from = to;
      }
    }
  }
}

TEST(LloydLevelsTest, LargerWeightsPushLevelsOutward) {
  const MagnitudeDensity density = Density(DensityFamily::kGeneralisedNormal, 0.5, 0.01, 0.01, 1);
  std::vector<double> last(4, 0.0);
  for (const double m : {0.0, 0.5, 1.0, 2.0, 4.0, 8.0}) {
    const std::vector<double> levels = LloydLevels(density, m, 4).levels;
    for (size_t j = 0; j < 4; ++j) EXPECT_GT(levels[j], last[j]) << m;
    last = levels;
  }
  EXPECT_LE(last.back(), 1);  // nothing survived beyond the largest
}

// Trap: a constant added to the denominator drags the levels of small values towards 0.
TEST(LloydLevelsTest, LevelsOfTinyValuesAreThoseOfLargeOnesTimesTheScale) {
  const auto family = DensityFamily::kGeneralisedNormal;
  const std::vector<double> large = LloydLevels(Density(family, 0.6, 1, 1, 100), 3, 8).levels;
  const std::vector<double> tiny = LloydLevels(Density(family, 0.6, 1e-30, 1e-30, 1e-28), 3, 8).levels;
  for (size_t j = 0; j < 8; ++j) EXPECT_NEAR(tiny[j] / large[j] * 1e30, 1, 1e-6);
}

TEST(LloydLevelsTest, ACellWithoutMassKeepsItsLevel) {
  const MagnitudeDensity density = Density(DensityFamily::kGeneralisedNormal, 1, 0.1, 0, 1);
  std::vector<double> levels = {0.2, 2, 3};
  ImproveLevels(density, 0, levels);
  EXPECT_NE(levels[0], 0.2);
  EXPECT_EQ(levels[1], 2);
  EXPECT_EQ(levels[2], 3);
}

TEST(LloydLevelsTest, ManyLevelsOfAHeavyTailConvergeWithinTheLimit) {
  const MagnitudeDensity density = Density(DensityFamily::kGeneralisedNormal, 0.2, 1e-8, 1e-4, 1);
  for (const double m : {0.0, 4.0, 16.0}) {
    const LloydResult result = LloydLevels(density, m, 128);
    EXPECT_TRUE(std::is_sorted(result.levels.begin(), result.levels.end()));
    EXPECT_LT(result.last_move, 1e-4);
    EXPECT_GE(result.levels.front(), 1e-4);
    EXPECT_LE(result.levels.back(), 1);
  }
}

}  // namespace
}  // namespace thinwire
