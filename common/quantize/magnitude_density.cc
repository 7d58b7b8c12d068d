#include "common/quantize/magnitude_density.h"

#include <cmath>

#include "common/quantize/incomplete_gamma.h"

namespace thinwire {

double MagnitudeDensity::LogMoment(double power, double from, double to) const {
  const double degree = power + (family == DensityFamily::kGeneralisedNormal ? 1 : shape);
  const auto argument = [this](double u) { return u > 0 ? std::exp(shape * (std::log(u) - log_scale)) : 0; };
  return degree * log_scale - std::log(shape) + LogGammaInterval(degree / shape, argument(from), argument(to));
}

double MagnitudeDensity::Moment(double power) const {
  return std::exp(LogMoment(power, low, high) - LogMoment(0, low, high));
}

}  // namespace thinwire
