#include "client/train/gamma_sampler.h"

#include <algorithm>
#include <cmath>

#include "common/base/portable_math.h"

namespace thinwire {
namespace {

// Uniform in (0, 1): the logarithm of it exists.
double NextPositive(RandomStream& random) {
  double value = random.NextDouble();
  while (value == 0) value = random.NextDouble();
  return value;
}

}  // namespace

// std::sqrt is exact by IEEE 754, unlike the rest of libm.
double SampleNormal(RandomStream& random) {
  while (true) {
    const double u = 2 * random.NextDouble() - 1, v = 2 * random.NextDouble() - 1;
    const double square = u * u + v * v;
    if (square > 0 && square < 1) return u * std::sqrt(-2 * PortableLog(square) / square);
  }
}

double SampleLogGamma(double alpha, RandomStream& random) {
  double log_boost = 0;
  if (alpha < 1) {
    log_boost = PortableLog(NextPositive(random)) / alpha;
    alpha += 1;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = SampleNormal(random), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root, log_v = PortableLog(v);
    if (PortableLog(NextPositive(random)) < 0.5 * x * x + d * (1 - v + log_v)) {
      return PortableLog(d) + log_v + log_boost;
    }
  }
}

std::vector<double> SampleDirichlet(double alpha, size_t size, RandomStream& random) {
  std::vector<double> parts(size);
  for (double& part : parts) part = SampleLogGamma(alpha, random);
  const double largest = *std::max_element(parts.begin(), parts.end());
  double total = 0;
  for (double& part : parts) {
    part = PortableExp(part - largest);
    total += part;
  }
  for (double& part : parts) part /= total;
  return parts;
}

}  // namespace thinwire
