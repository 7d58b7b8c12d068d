// Random proportions, the same on every machine.
#ifndef THINWIRE_CLIENT_TRAIN_GAMMA_SAMPLER_H_
#define THINWIRE_CLIENT_TRAIN_GAMMA_SAMPLER_H_

#include <cstddef>
#include <vector>

#include "common/base/rng.h"

namespace thinwire {

// Standard normal: Marsaglia's polar method.
double SampleNormal(RandomStream& random);

// The logarithm of a Gamma(alpha, 1) variate, alpha > 0. Marsaglia and Tsang, "A simple method for generating gamma
// variables", ACM TOMS 26(3), 2000; alpha < 1 by their U^(1/alpha) step, kept in logarithms since it underflows.
double SampleLogGamma(double alpha, RandomStream& random);

// Dirichlet(alpha, ..., alpha) over `size` > 0 parts; non-negative, sums to 1 up to rounding.
std::vector<double> SampleDirichlet(double alpha, size_t size, RandomStream& random);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_GAMMA_SAMPLER_H_
