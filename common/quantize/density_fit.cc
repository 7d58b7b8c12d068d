#include "common/quantize/density_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace thinwire {
namespace {

constexpr int kTableSize = 33;
constexpr int kMaxSteps = 60;
constexpr double kTolerance = 1e-10;
// Bounds of ln (end / scale)^shape, the mean for the end if there is none: from a density that is flat but for u^(d-1)
// to one whose end has no mass.
constexpr double kFlattest = -12;
constexpr double kSteepest = 7.6;

double TableShape(int i) { return kMinShape * std::pow(kMaxShape / kMinShape, i / (kTableSize - 1.0)); }

// The density of this shape on [low, high] whose moment of `power` is `target`. The moment falls with steepness, since
// densities of one shape have a monotone likelihood ratio.
MagnitudeDensity WithScaleFor(MagnitudeDensity density, double shape, double power, double target) {
  density.shape = shape;
  const double reference = std::isinf(density.high) ? std::log(target) / power : std::log(density.high);
  double flat = kFlattest;
  double steep = kSteepest;
  for (int i = 0; i < kMaxSteps && steep - flat > kTolerance; ++i) {
    const double middle = (flat + steep) / 2;
    density.log_scale = reference - middle / shape;
    (density.Moment(power) > target ? flat : steep) = middle;
  }
  density.log_scale = reference - (flat + steep) / 2 / shape;
  return density;
}

// ln E[u^2] / E[u]^2 on [0, infinity), which falls with the shape.
double LogMomentRatio(DensityFamily family, double shape) {
  MagnitudeDensity density;
  density.family = family;
  density.shape = shape;
  const double one = density.LogMoment(0, 0, density.high);
  return density.LogMoment(2, 0, density.high) - 2 * density.LogMoment(1, 0, density.high) + one;
}

MagnitudeDensity FitUntruncated(DensityFamily family, double mean, double mean_square) {
  const double target = std::log(mean_square) - 2 * std::log(mean);
  int i = 0;
  while (i + 1 < kTableSize && LogMomentRatio(family, TableShape(i + 1)) > target) ++i;
  double log_shape = std::log(TableShape(i));
  const double low = std::log(kMinShape);
  const double high = std::log(kMaxShape);
  for (int step = 0; step < kMaxSteps; ++step) {
    const double width = 1e-5;
    const double value = LogMomentRatio(family, std::exp(log_shape)) - target;
    const double slope =
        (LogMomentRatio(family, std::exp(log_shape + width)) - LogMomentRatio(family, std::exp(log_shape - width))) /
        (2 * width);
    const double next = std::clamp(log_shape - value / slope, low, high);
    const bool done = std::fabs(next - log_shape) < kTolerance;
    log_shape = next;
    if (done) break;
  }
  MagnitudeDensity density;
  density.family = family;
  density.shape = std::exp(log_shape);
  density.log_scale = std::log(mean) - std::log(density.Moment(1));
  return density;
}

// Where E[u^2] of the densities with the right mean passes its target: it falls with the shape.
class ShapeSearch {
 public:
  ShapeSearch(const MagnitudeDensity& density, double mean, double mean_square)
      : density_(density), mean_(mean), mean_square_(mean_square) {}

  MagnitudeDensity Find() const {
    int i = 0;
    while (i + 1 < kTableSize && Excess(TableShape(i + 1)) > 0) ++i;
    if (i + 1 == kTableSize) return At(kMaxShape);
    if (i == 0 && Excess(kMinShape) <= 0) return At(kMinShape);
    return At(FalsePosition(TableShape(i), TableShape(i + 1)));
  }

 private:
  MagnitudeDensity At(double shape) const { return WithScaleFor(density_, shape, 1, mean_); }
  double Excess(double shape) const { return At(shape).Moment(2) / mean_square_ - 1; }

  // The Illinois variant, which cannot stall at one end.
  double FalsePosition(double left, double right) const {
    double above = Excess(left);
    double below = Excess(right);
    for (int step = 0; step < kMaxSteps && right - left > kTolerance * left; ++step) {
      const double middle = above > below ? (left * below - right * above) / (below - above) : (left + right) / 2;
      const double value = Excess(middle);
      if (std::fabs(value) < kTolerance) return middle;
      if (value > 0) {
        left = middle;
        above = value;
        below /= 2;
      } else {
        right = middle;
        below = value;
        above /= 2;
      }
    }
    return (left + right) / 2;
  }

  const MagnitudeDensity density_;
  const double mean_, mean_square_;
};

// The log likelihood of one value on average, at the best scale of each shape.
class ShapeProfile {
 public:
  ShapeProfile(const MagnitudeDensity& density, absl::Span<const float> magnitudes) : density_(density) {
    logs_.reserve(magnitudes.size());
    // 1e-45 stands for a zero, whose logarithm a likelihood cannot hold.
    for (const float u : magnitudes) logs_.push_back(std::log(std::max(double{u}, 1e-45)));
    for (const double log_u : logs_) mean_log_ += log_u / static_cast<double>(logs_.size());
  }

  MagnitudeDensity At(double shape) const { return WithScaleFor(density_, shape, shape, MeanPower(shape)); }

  double LogLikelihood(double shape) const {
    const MagnitudeDensity density = At(shape);
    const double power = density.family == DensityFamily::kGeneralisedNormal ? 0 : shape - 1;
    return power * mean_log_ - MeanPower(shape) * std::exp(-shape * density.log_scale) -
           density.LogMoment(0, density.low, density.high);
  }

 private:
  double MeanPower(double shape) const {
    double sum = 0;
    for (const double log_u : logs_) sum += std::exp(shape * log_u);
    return sum / static_cast<double>(logs_.size());
  }

  const MagnitudeDensity density_;
  std::vector<double> logs_;
  double mean_log_ = 0;
};

MagnitudeDensity OnInterval(DensityFamily family, double low, double high) {
  MagnitudeDensity density;
  density.family = family;
  density.low = low;
  density.high = high;
  return density;
}

}  // namespace

MagnitudeDensity FitMoments(DensityFamily family, double low, double high, double mean, double mean_square) {
  if (low <= 0 && std::isinf(high)) return FitUntruncated(family, mean, mean_square);
  return ShapeSearch(OnInterval(family, low, high), mean, mean_square).Find();
}

MagnitudeDensity FitLikelihood(DensityFamily family, double low, double high, absl::Span<const float> magnitudes) {
  const ShapeProfile profile(OnInterval(family, low, high), magnitudes);
  int best = 0;
  std::vector<double> values;
  for (int i = 0; i < kTableSize; i += 2) {
    values.push_back(profile.LogLikelihood(TableShape(i)));
    if (values.back() > values[static_cast<size_t>(best) / 2]) best = i;
  }
  double left = std::log(TableShape(std::max(best - 2, 0)));
  double right = std::log(TableShape(std::min(best + 2, kTableSize - 1)));
  const double golden = (std::sqrt(5.0) - 1) / 2;
  double x1 = right - golden * (right - left);
  double x2 = left + golden * (right - left);
  double f1 = profile.LogLikelihood(std::exp(x1));
  double f2 = profile.LogLikelihood(std::exp(x2));
  while (right - left > 1e-4) {
    if (f1 > f2) {
      right = x2;
      x2 = x1;
      f2 = f1;
      x1 = right - golden * (right - left);
      f1 = profile.LogLikelihood(std::exp(x1));
    } else {
      left = x1;
      x1 = x2;
      f1 = f2;
      x2 = left + golden * (right - left);
      f2 = profile.LogLikelihood(std::exp(x2));
    }
  }
  return profile.At(std::exp((left + right) / 2));
}

MagnitudeDensity FitSurvivors(DensityFamily family, FitMethod method, absl::Span<const float> magnitudes) {
  const auto [smallest, largest] = std::minmax_element(magnitudes.begin(), magnitudes.end());
  const double scale = *largest;
  const double low = *smallest / scale;
  if (method == FitMethod::kLikelihood) {
    std::vector<float> scaled(magnitudes.begin(), magnitudes.end());
    for (float& u : scaled) u = static_cast<float>(u / scale);
    return FitLikelihood(family, low, 1, scaled);
  }
  double sum = 0;
  double sum_of_squares = 0;
  for (const float u : magnitudes) {
    const double x = u / scale;
    sum += x;
    sum_of_squares += x * x;
  }
  const double count = static_cast<double>(magnitudes.size());
  return FitMoments(family, low, 1, sum / count, sum_of_squares / count);
}

}  // namespace thinwire
