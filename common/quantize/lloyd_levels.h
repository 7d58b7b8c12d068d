// Lloyd-Max quantisers of a fitted density under the M-magnitude weighted distortion |x|^M (x - x^)^2 of M22 (arXiv
// 2301.09269), M >= 0 real: M = 0 is the squared error, a large M cares for large entries only. The weight depends on x
// alone, so nearest levels stay optimal and only the centroids move:
//   c_j = integral of u^(M+1) f(u) over the cell / integral of u^M f(u) over it.
// Both are partial moments of the density; the data are not touched. Signs are coded apart, so levels are symmetric and
// no cell holds both signs, where an odd power would cancel. For encoders; pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_LLOYD_LEVELS_H_
#define THINWIRE_COMMON_QUANTIZE_LLOYD_LEVELS_H_

#include <vector>

#include "common/quantize/magnitude_density.h"

namespace thinwire {

constexpr double kMaxWeightExponent = 16;

struct LloydResult {
  std::vector<double> levels;  // ascending
  int iterations = 0;
  double last_move = 0;  // largest move of a level in the last iteration, relative to the level
};

// `count` >= 1 levels for magnitudes of `density` and 0 <= weight_exponent <= kMaxWeightExponent. Starts from the
// optimal density of many levels, (u^M f(u))^(1/3) (Bennett), and iterates until levels move by less than 1e-7 of
// themselves, at most 1,000 times. A cell without mass keeps its level.
LloydResult LloydLevels(const MagnitudeDensity& density, double weight_exponent, int count);

// One iteration: each level becomes the centroid of its cell. Returns the largest move, relative to the level.
double ImproveLevels(const MagnitudeDensity& density, double weight_exponent, std::vector<double>& levels);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_LLOYD_LEVELS_H_
