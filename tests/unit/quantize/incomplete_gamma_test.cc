#include "common/quantize/incomplete_gamma.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Relative(double log_integral, double log_expected) { return std::fabs(std::expm1(log_integral - log_expected)); }

// ln of the integral of e^-t, t e^-t and t^2 e^-t beyond x.
double LogTail(int a, double x) { return -x + std::log(a == 1 ? 1 : a == 2 ? x + 1 : x * x + 2 * x + 2); }

TEST(IncompleteGammaTest, IntegersHaveClosedForms) {
  for (const int a : {1, 2, 3}) {
    for (const double x : {1e-3, 0.5, 1.0, 2.0, 5.0, 30.0, 1000.0, 1e6}) {
      EXPECT_LT(Relative(LogGammaInterval(a, x, kInfinity), LogTail(a, x)), 1e-9) << a << " " << x;
      if (x < 0.5) continue;  // the difference of closed forms has no digits left
      const double below = std::log(-std::expm1(LogTail(a, 1.1 * x) - LogTail(a, x))) + LogTail(a, x);
      EXPECT_LT(Relative(LogGammaInterval(a, x, 1.1 * x), below), 1e-7) << a << " " << x;
    }
  }
}

TEST(IncompleteGammaTest, HalvesAreTheErrorFunction) {
  for (const double x : {1e-6, 0.1, 1.0, 3.0, 8.0, 20.0}) {
    const double log_root_pi = 0.5 * std::log(3.14159265358979323846);
    EXPECT_LT(Relative(LogGammaInterval(0.5, 0, x * x), log_root_pi + std::log(std::erf(x))), 1e-12) << x;
    EXPECT_LT(Relative(LogGammaInterval(0.5, x * x, kInfinity), log_root_pi + std::log(std::erfc(x))), 1e-9) << x;
  }
}

TEST(IncompleteGammaTest, PiecesAddUpToTheWhole) {
  for (const double a : {0.05, 0.7, 1.0, 3.3, 25.0, 180.0, 900.0}) {
    double sum = 0;
    double from = 0;
    for (const double to : {0.01 * a, 0.3 * a, 0.8 * a, 0.99 * a, a, 1.01 * a, 1.5 * a, 3 * a + 5, kInfinity}) {
      sum += std::exp(LogGammaInterval(a, from, to) - std::lgamma(a));
      from = to;
    }
    EXPECT_NEAR(sum, 1, 1e-11) << a;
  }
}

TEST(IncompleteGammaTest, NarrowIntervalsAreTheIntegrandTimesTheWidth) {
  for (const double a : {0.3, 2.0, 40.0}) {
    for (const double x : {0.01, 1.0, 35.0, 400.0}) {
      const double expected = (a - 1) * std::log(x * (1 + 0.5e-9)) - x * (1 + 0.5e-9) + std::log(x * 1e-9);
      EXPECT_LT(Relative(LogGammaInterval(a, x, x * (1 + 1e-9)), expected), 1e-6) << a << " " << x;
    }
  }
}

TEST(IncompleteGammaTest, EmptyIntervalsHaveNoMass) {
  EXPECT_EQ(LogGammaInterval(2, 3, 3), -kInfinity);
  EXPECT_EQ(LogGammaInterval(2, kInfinity, kInfinity), -kInfinity);
  EXPECT_EQ(LogGammaInterval(2, 0, 0), -kInfinity);
}

}  // namespace
}  // namespace thinwire
