// How the magnitudes of an update's entries are distributed: the two families of M22 (arXiv 2301.09269), restricted to
// the interval that survived a top-K. Both are cases of Stacy's generalised gamma density
//   f(u) ~ u^(d-1) exp(-(u / scale)^shape),
// with d = 1 for the generalised normal and d = shape for the double Weibull, so that every moment over an interval is
// a difference of incomplete gamma functions. Pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_MAGNITUDE_DENSITY_H_
#define THINWIRE_COMMON_QUANTIZE_MAGNITUDE_DENSITY_H_

#include <cstdint>
#include <limits>

namespace thinwire {

enum class DensityFamily : uint8_t { kGeneralisedNormal = 1, kDoubleWeibull = 2 };

struct MagnitudeDensity {
  DensityFamily family = DensityFamily::kGeneralisedNormal;
  double shape = 1;      // 2: normal, 1: Laplace (generalised normal) or exponential (Weibull)
  double log_scale = 0;  // a logarithm, since a shape of 0.1 comes with scales of e^-40
  double low = 0;        // nothing is below the smallest survivor
  double high = std::numeric_limits<double>::infinity();

  // ln of the integral of u^power f(u) from `from` to `to`, both within [low, high], f without its normalising
  // constant: only ratios mean anything. power >= 0.
  double LogMoment(double power, double from, double to) const;
  // E[u^power].
  double Moment(double power) const;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_MAGNITUDE_DENSITY_H_
