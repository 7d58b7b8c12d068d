// Samples of known densities, random updates, and the way through a quantiser and back.
#ifndef THINWIRE_TESTS_UNIT_QUANTIZE_QUANTIZE_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_QUANTIZE_QUANTIZE_FIXTURE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/base/rng.h"
#include "common/quantize/quantizer.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {

inline double Normal(RandomStream& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.NextDouble()));
  return radius * std::cos(6.283185307179586 * random.NextDouble());
}

// Marsaglia and Tsang 2000; parameters below 1 by Stuart's product.
inline double Gamma(double a, RandomStream& random) {
  if (a < 1) return Gamma(a + 1, random) * std::pow(1 - random.NextDouble(), 1 / a);
  const double d = a - 1.0 / 3;
  for (;;) {
    const double x = Normal(random);
    const double v = std::pow(1 + x / std::sqrt(9 * d), 3);
    if (v > 0 && std::log(1 - random.NextDouble()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

inline double GenNormMagnitude(double shape, double scale, RandomStream& random) {
  return scale * std::pow(Gamma(1 / shape, random), 1 / shape);
}
inline double WeibullMagnitude(double shape, double scale, RandomStream& random) {
  return scale * std::pow(-std::log(1 - random.NextDouble()), 1 / shape);
}

using Tensors = std::vector<std::vector<float>>;

inline std::vector<absl::Span<const float>> View(const Tensors& tensors) { return {tensors.begin(), tensors.end()}; }
inline std::vector<absl::Span<float>> MutableView(Tensors& tensors) {
  std::vector<absl::Span<float>> view;
  for (std::vector<float>& tensor : tensors) view.push_back(absl::MakeSpan(tensor));
  return view;
}

// Entries of a generalised normal density whose scale differs between tensors.
inline Tensors RandomUpdate(uint64_t seed, const std::vector<size_t>& sizes, double shape = 0.6) {
  RandomStream random(seed);
  Tensors tensors;
  double scale = 0.01;
  for (const size_t size : sizes) {
    tensors.emplace_back(size);
    for (float& x : tensors.back()) {
      x = static_cast<float>(GenNormMagnitude(shape, scale, random) * (random.Below(2) != 0 ? -1 : 1));
    }
    scale *= 0.3;
  }
  return tensors;
}

inline absl::StatusOr<Tensors> Decode(const std::string& bytes, const Tensors& like) {
  Tensors out = like;
  for (auto& tensor : out) std::fill(tensor.begin(), tensor.end(), 7.0f);
  const absl::Status status = DequantizeUpdate(bytes, MutableView(out));
  if (!status.ok()) return status;
  return out;
}

// Through a quantiser and back; a failed expectation and the update itself if there is no way.
inline Tensors RoundTrip(const QuantizerSpec& spec, const Tensors& update, const QuantizeOptions& options = {}) {
  const absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, View(update), options);
  EXPECT_THAT(bytes, IsOk()) << spec.Name();
  if (!bytes.ok()) return update;
  EXPECT_LE(8 * bytes->size(), options.budget_bits) << spec.Name();
  const absl::StatusOr<Tensors> decoded = Decode(*bytes, update);
  EXPECT_THAT(decoded, IsOk()) << spec.Name();
  return decoded.ok() ? *decoded : update;
}

inline double Error(const Tensors& update, const Tensors& decoded, double weight_exponent = 0) {
  return RelativeDistortion(View(update), View(decoded), {weight_exponent})[0];
}

inline std::vector<QuantizerSpec> AllQuantizers() {
  QuantizerSpec likelihood = QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 0, 2);
  likelihood.fit = FitMethod::kLikelihood;
  QuantizerSpec twice = QuantizerSpec::Rotated(true);
  twice.rotations = 2;
  return {QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 0, 1),
          QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 2, 3),
          QuantizerSpec::Lloyd(DensityFamily::kDoubleWeibull, 1.5, 4),
          likelihood,
          QuantizerSpec::TinyScript(2),
          QuantizerSpec::Uniform(3),
          QuantizerSpec::Float(5, 2),
          QuantizerSpec::Float(4, 3),
          QuantizerSpec::Float(2, 1),
          QuantizerSpec::Sign(),
          QuantizerSpec::Qsgd(0),
          QuantizerSpec::Qsgd(64),
          QuantizerSpec::Rotated(false),
          twice};
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_QUANTIZE_QUANTIZE_FIXTURE_H_
