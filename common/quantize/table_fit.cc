#include "common/quantize/table_fit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/quantize/lloyd_levels.h"

namespace thinwire {
namespace {

// Below this relative width a density has nothing to say.
constexpr double kOnePoint = 1e-6;

std::vector<double> FittedLevels(const QuantizerSpec& spec, absl::Span<const float> magnitudes, double smallest,
                                 double largest) {
  const int count = 1 << (spec.values.bits - 1);
  if (largest - smallest <= kOnePoint * largest) {
    return std::vector<double>(static_cast<size_t>(count), (smallest + largest) / 2);
  }
  const MagnitudeDensity density = FitSurvivors(spec.family, spec.fit, magnitudes);
  std::vector<double> levels = LloydLevels(density, spec.weight_exponent, count).levels;
  for (double& level : levels) level *= largest;  // the density is that of values scaled to a maximum of 1
  return levels;
}

// <x, y> / <y, y> with y the nearest level of each x.
double LeastSquaresGain(const LevelTable& table, absl::Span<const float> magnitudes, double largest) {
  double product = 0;
  double square = 0;
  for (const float x : magnitudes) {
    const double y = table.levels()[table.Nearest(x)] / largest;
    product += x / largest * y;
    square += y * y;
  }
  return square > 0 ? product / square : 1;
}

}  // namespace

LevelTable FitTable(const QuantizerSpec& spec, absl::Span<const float> values) {
  std::vector<float> magnitudes(values.begin(), values.end());
  for (float& value : magnitudes) value = std::fabs(value);
  const auto [smallest, largest] = std::minmax_element(magnitudes.begin(), magnitudes.end());
  if (spec.values.coding == ValueCoding::kUniform) return LevelTable::Uniform(spec.values.bits, *smallest, *largest);
  if (spec.values.coding == ValueCoding::kFloat) return LevelTable::Float(spec.values.format, *largest);
  std::vector<double> levels = FittedLevels(spec, magnitudes, *smallest, *largest);
  LevelTable table = LevelTable::FromLevels(levels);
  if (spec.weight_exponent != 0 || !spec.gain) return table;
  const double gain = LeastSquaresGain(table, magnitudes, *largest);
  for (double& level : levels) level *= gain;
  return LevelTable::FromLevels(levels);
}

}  // namespace thinwire
