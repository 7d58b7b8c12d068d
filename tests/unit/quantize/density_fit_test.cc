// Fits against densities that are known: their own moments, and samples.
#include "common/quantize/density_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

constexpr DensityFamily kFamilies[] = {DensityFamily::kGeneralisedNormal, DensityFamily::kDoubleWeibull};
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

double Draw(DensityFamily family, double shape, double scale, RandomStream& random) {
  return family == DensityFamily::kDoubleWeibull ? WeibullMagnitude(shape, scale, random)
                                                 : GenNormMagnitude(shape, scale, random);
}

// The `kept` largest of `count` magnitudes.
std::vector<float> Survivors(DensityFamily family, double shape, double scale, size_t count, size_t kept) {
  RandomStream random(DeriveKey({static_cast<uint64_t>(family), static_cast<uint64_t>(shape * 100)}));
  std::vector<float> magnitudes(count);
  for (float& u : magnitudes) u = static_cast<float>(Draw(family, shape, scale, random));
  std::sort(magnitudes.rbegin(), magnitudes.rend());
  magnitudes.resize(kept);
  return magnitudes;
}

TEST(DensityFitTest, MomentsOfTheNormalAndOfTheExponential) {
  const MagnitudeDensity normal = Density(DensityFamily::kGeneralisedNormal, 2, std::sqrt(2.0), 0, kInfinity);
  EXPECT_NEAR(normal.Moment(1), std::sqrt(2 / 3.14159265358979), 1e-12);
  EXPECT_NEAR(normal.Moment(2), 1, 1e-12);
  EXPECT_NEAR(normal.Moment(4), 3, 1e-11);
  const MagnitudeDensity exponential = Density(DensityFamily::kDoubleWeibull, 1, 1, 3, kInfinity);
  EXPECT_NEAR(exponential.Moment(1), 4, 1e-11);   // it forgets: 3 + 1
  EXPECT_NEAR(exponential.Moment(2), 17, 1e-10);  // 16 + 1
}

TEST(DensityFitTest, MomentsOfADensityGiveTheDensity) {
  for (const DensityFamily family : kFamilies) {
    for (const double shape : {0.2, 0.5, 1.0, 1.7, 3.0}) {
      const MagnitudeDensity truth = Density(family, shape, 0.01, 0, kInfinity);
      const MagnitudeDensity fit = FitMoments(family, 0, kInfinity, truth.Moment(1), truth.Moment(2));
      EXPECT_NEAR(fit.shape, shape, 1e-6 * shape);
      EXPECT_NEAR(fit.log_scale, truth.log_scale, 1e-4);
    }
  }
}

TEST(DensityFitTest, MomentsOfATruncatedDensityGiveTheDensity) {
  for (const DensityFamily family : kFamilies) {
    for (const double shape : {0.3, 0.6, 1.0, 2.0}) {
      for (const double high : {1.0, kInfinity}) {
        const MagnitudeDensity truth = Density(family, shape, std::pow(0.1, 1 / shape), 0.02, high);
        const MagnitudeDensity fit = FitMoments(family, 0.02, high, truth.Moment(1), truth.Moment(2));
        EXPECT_NEAR(fit.Moment(1) / truth.Moment(1), 1, 1e-7);
        EXPECT_NEAR(fit.Moment(2) / truth.Moment(2), 1, 1e-7);
        EXPECT_NEAR(fit.shape, shape, 2e-3 * shape) << static_cast<int>(family) << " to " << high;
      }
    }
  }
}

TEST(DensityFitTest, SamplesGiveTheirShapeAndScaleBack) {
  for (const DensityFamily family : kFamilies) {
    for (const double shape : {0.5, 1.0, 2.0}) {
      const std::vector<float> all = Survivors(family, shape, 0.01, 50000, 50000);
      for (const FitMethod method : {FitMethod::kMoments, FitMethod::kLikelihood}) {
        const MagnitudeDensity fit = FitSurvivors(family, method, all);
        EXPECT_NEAR(fit.shape, shape, 0.06 * shape) << static_cast<int>(family) << static_cast<int>(method);
        const double log_scale = fit.log_scale + std::log(all[0]);  // values were scaled to a maximum of 1
        EXPECT_NEAR(log_scale, std::log(0.01), 0.25) << shape;
      }
    }
  }
}

// Trap: after a top-K the data have a hole around 0. A fit that does not know of it gives the normal a shape far from
// 2, and a Weibull one above 1 that is not there.
TEST(DensityFitTest, TheHoleOfATopKIsNotTakenForTheShape) {
  for (const DensityFamily family : kFamilies) {
    const double shape = family == DensityFamily::kGeneralisedNormal ? 2 : 0.8;
    const std::vector<float> kept = Survivors(family, shape, 1, 400000, 60000);
    EXPECT_NEAR(FitSurvivors(family, FitMethod::kMoments, kept).shape, shape, 0.12 * shape);
    EXPECT_NEAR(FitSurvivors(family, FitMethod::kLikelihood, kept).shape, shape, 0.12 * shape);
    double mean = 0, square = 0;
    for (const float u : kept) {
      mean += u / 60000.0;
      square += double{u} * u / 60000.0;
    }
    EXPECT_GT(FitMoments(family, 0, kInfinity, mean, square).shape, 1.5 * shape);
  }
}

TEST(DensityFitTest, LikelihoodIsHighestAtItsFit) {
  const std::vector<float> kept = Survivors(DensityFamily::kGeneralisedNormal, 0.7, 1, 20000, 5000);
  const double high = kept.front();
  const double low = kept.back();
  const auto log_likelihood = [&](const MagnitudeDensity& density) {
    double sum = 0;
    for (const float u : kept) sum -= std::exp(density.shape * (std::log(u) - density.log_scale));
    return sum / 5000 - density.LogMoment(0, low, high);
  };
  const MagnitudeDensity best = FitLikelihood(DensityFamily::kGeneralisedNormal, low, high, kept);
  for (const double shape : {0.97, 1.03}) {
    for (const double scale : {-0.05, 0.0, 0.05}) {
      MagnitudeDensity other = best;
      other.shape *= shape;
      other.log_scale += scale;
      EXPECT_GT(log_likelihood(best), log_likelihood(other)) << shape << " " << scale;
    }
  }
}

TEST(DensityFitTest, MomentsThatNoShapeHasGiveTheNearestShape) {
  const auto normal = DensityFamily::kGeneralisedNormal;
  EXPECT_NEAR(FitMoments(normal, 0, kInfinity, 1, 1.0001).shape, kMaxShape, 1e-6);
  EXPECT_NEAR(FitMoments(normal, 0, kInfinity, 1, 1e30).shape, kMinShape, 1e-6);
  const MagnitudeDensity two_points = FitMoments(normal, 0.1, 1, 0.9, 0.89);
  EXPECT_GE(two_points.shape, kMinShape);
  EXPECT_LE(two_points.shape, kMaxShape);
  EXPECT_TRUE(std::isfinite(two_points.Moment(1)));
}

}  // namespace
}  // namespace thinwire
