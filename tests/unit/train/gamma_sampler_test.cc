#include "client/train/gamma_sampler.h"

#include <cmath>
#include <numeric>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

constexpr int kDraws = 100000;

TEST(GammaSampler, NormalHasMeanZeroVarianceOneAndNormalTails) {
  RandomStream random(1);
  double sum = 0, squares = 0, outside = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = SampleNormal(random);
    sum += x;
    squares += x * x;
    outside += std::fabs(x) > 1.959964 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  EXPECT_NEAR(outside / kDraws, 0.05, 0.003);
}

TEST(GammaSampler, HasMeanAndVarianceAlpha) {
  for (const double alpha : {0.05, 0.3, 1.0, 2.5, 100.0}) {
    RandomStream random(2);
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = std::exp(SampleLogGamma(alpha, random));
      sum += x;
      squares += (x - alpha) * (x - alpha);
    }
    // Five standard errors; a gamma's fourth central moment is 3 alpha^2 + 6 alpha.
    EXPECT_NEAR(sum / kDraws, alpha, 5 * std::sqrt(alpha / kDraws)) << alpha;
    EXPECT_NEAR(squares / kDraws, alpha, 5 * std::sqrt((2 * alpha * alpha + 6 * alpha) / kDraws)) << alpha;
  }
}

TEST(GammaSampler, LogOfASmallGammaHasTheDigammaMean) {
  RandomStream random(3);
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) sum += SampleLogGamma(0.01, random);
  // digamma(0.01) = -100.5609, variance trigamma(0.01) = 10001.6
  EXPECT_NEAR(sum / kDraws, -100.5609, 5 * std::sqrt(10001.6 / kDraws));
}

TEST(GammaSampler, DirichletSumsToOneEvenWhereGammasUnderflow) {
  for (const double alpha : {1e-3, 0.3, 1.0, 1e6}) {
    RandomStream random(4);
    for (int i = 0; i < 100; ++i) {
      const std::vector<double> parts = SampleDirichlet(alpha, 10, random);
      EXPECT_NEAR(std::accumulate(parts.begin(), parts.end(), 0.0), 1, 1e-12) << alpha;
      for (const double part : parts) EXPECT_GE(part, 0);
    }
  }
}

TEST(GammaSampler, DirichletHasTheVarianceOfItsConcentration) {
  RandomStream random(5);
  double squares = 0;
  constexpr int kSets = 20000;
  for (int i = 0; i < kSets; ++i) {
    const double first = SampleDirichlet(0.3, 10, random)[0];
    squares += (first - 0.1) * (first - 0.1);
  }
  EXPECT_NEAR(squares / kSets, 0.1 * 0.9 / (10 * 0.3 + 1), 0.0015);
}

}  // namespace
}  // namespace thinwire
