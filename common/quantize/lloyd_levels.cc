#include "common/quantize/lloyd_levels.h"

#include <algorithm>
#include <cmath>

#include "common/quantize/incomplete_gamma.h"

namespace thinwire {
namespace {

constexpr int kMaxIterations = 1000;
constexpr int kBisections = 45;
constexpr double kDeepestLog = 500;  // no level lies below e^-500 of the end
constexpr double kConverged = 1e-7;

// The distribution whose density is (u^M f(u))^(1/3), once more of Stacy's family: its quantiles are where many levels
// of an optimal quantiser lie.
class PointDensity {
 public:
  PointDensity(const MagnitudeDensity& density, double weight_exponent)
      : density_(density),
        degree_((weight_exponent + (density.family == DensityFamily::kGeneralisedNormal ? 1 : density.shape) - 1) / 3 +
                1),
        log_whole_(LogMass(density.high)) {}

  // By bisection of ln t.
  double Quantile(double share) const {
    const double end = std::isinf(density_.high) ? BeyondAllMass() : Argument(density_.high);
    const double start = Argument(density_.low);
    double high = std::log(end);
    double low = start > 0 ? std::log(start) : high - kDeepestLog;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = (low + high) / 2;
      const double mass = LogGammaInterval(degree_ / density_.shape, start, std::exp(middle));
      (mass - log_whole_ < std::log(share) ? low : high) = middle;
    }
    return std::exp((std::log(3) + (low + high) / 2) / density_.shape + density_.log_scale);
  }

 private:
  double Argument(double u) const {
    return u > 0 ? std::exp(density_.shape * (std::log(u) - density_.log_scale)) / 3 : 0;
  }
  double LogMass(double to) const {
    return LogGammaInterval(degree_ / density_.shape, Argument(density_.low), std::isinf(to) ? to : Argument(to));
  }
  double BeyondAllMass() const { return 3 * (degree_ / density_.shape + Argument(density_.low)) + 100; }

  const MagnitudeDensity density_;
  const double degree_;
  const double log_whole_;
};

}  // namespace

double ImproveLevels(const MagnitudeDensity& density, double weight_exponent, std::vector<double>& levels) {
  double moved = 0;
  double from = density.low;
  for (size_t j = 0; j < levels.size(); ++j) {
    const double middle = j + 1 < levels.size() ? (levels[j] + levels[j + 1]) / 2 : density.high;
    const double to = std::clamp(middle, density.low, density.high);
    const double mass = density.LogMoment(weight_exponent, from, to);
    if (std::isfinite(mass)) {
      const double centroid = std::clamp(std::exp(density.LogMoment(weight_exponent + 1, from, to) - mass), from, to);
      moved = std::max(moved, std::fabs(centroid - levels[j]) / std::max(centroid, 1e-300));
      levels[j] = centroid;
    }
    from = to;
  }
  return moved;
}

LloydResult LloydLevels(const MagnitudeDensity& density, double weight_exponent, int count) {
  LloydResult result;
  const PointDensity points(density, weight_exponent);
  for (int j = 0; j < count; ++j) result.levels.push_back(points.Quantile((j + 0.5) / count));
  do {
    result.last_move = ImproveLevels(density, weight_exponent, result.levels);
  } while (++result.iterations < kMaxIterations && result.last_move > kConverged);
  return result;
}

}  // namespace thinwire
