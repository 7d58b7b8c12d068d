// Fitting a density to the magnitudes that survived a top-K. The density is truncated to the interval of the survivors:
// an ordinary fit would take the hole that a top-K leaves around 0 for a property of the family, which a Weibull of
// shape > 1 can follow and a generalised normal cannot (a trap in the public code of the papers). No mean is removed.
//
// For encoders: fitted parameters never travel, the levels made from them do. Pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_DENSITY_FIT_H_
#define THINWIRE_COMMON_QUANTIZE_DENSITY_FIT_H_

#include <cstdint>

#include "absl/types/span.h"
#include "common/quantize/magnitude_density.h"

namespace thinwire {

constexpr double kMinShape = 0.1;
constexpr double kMaxShape = 8;

enum class FitMethod : uint8_t { kMoments = 1, kLikelihood = 2 };

// The family's member on [low, high] whose first two moments are `mean` and `mean_square`, with a shape of kMinShape to
// kMaxShape; the nearest there is if none has these moments. On [0, infinity) the ratio of the moments depends on the
// shape alone: a table of it gives the start, Newton's method the rest. On any other interval a table of shapes, each
// with the scale that gives the mean, brackets the shape, and false position finds it.
//
// 0 <= low < high, and low < mean < high; mean_square >= mean^2.
MagnitudeDensity FitMoments(DensityFamily family, double low, double high, double mean, double mean_square);

// The fit by maximum likelihood: the shape by golden section over its profile, the scale of each shape by bisection.
// Reads the data some forty times, with a power of each: for comparison. `magnitudes` are not empty and lie within
// [low, high], not all in one point.
MagnitudeDensity FitLikelihood(DensityFamily family, double low, double high, absl::Span<const float> magnitudes);

// Either, on [smallest, largest] of the magnitudes, which are finite, positive and not all equal. Moments in binary64,
// of values scaled to a maximum of 1; the density is that of the values divided by their largest.
MagnitudeDensity FitSurvivors(DensityFamily family, FitMethod method, absl::Span<const float> magnitudes);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_DENSITY_FIT_H_
