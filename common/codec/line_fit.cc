#include "common/codec/line_fit.h"

#include <cmath>
#include <cstddef>

namespace thinwire {
namespace {

struct LineSums {
  double x = 0, y = 0, xx = 0, xy = 0;
};

// In lanes: a fixed order whatever the compiler makes of it.
LineSums SumsOf(absl::Span<const float> x, absl::Span<const float> y) {
  constexpr size_t kLanes = 8;
  double sum_x[kLanes] = {}, sum_y[kLanes] = {}, sum_xx[kLanes] = {}, sum_xy[kLanes] = {};
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t lane = i % kLanes;
    const double a = x[i], b = y[i];
    sum_x[lane] += a;
    sum_y[lane] += b;
    sum_xx[lane] += a * a;
    sum_xy[lane] += a * b;
  }
  LineSums sums;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sums.x += sum_x[lane];
    sums.y += sum_y[lane];
    sums.xx += sum_xx[lane];
    sums.xy += sum_xy[lane];
  }
  return sums;
}

}  // namespace

Line FitLine(absl::Span<const float> x, absl::Span<const float> y) {
  if (x.empty()) return {};
  const LineSums sums = SumsOf(x, y);
  const double n = static_cast<double>(x.size());
  const double spread = n * sums.xx - sums.x * sums.x;
  double slope = 1;
  if (spread > 0) slope = (n * sums.xy - sums.x * sums.y) / spread;
  if (!(slope > 0)) slope = 1;
  const Line line = {static_cast<float>(slope), static_cast<float>((sums.y - slope * sums.x) / n)};
  return IsLawful(line) ? line : Line{};
}

bool IsLawful(const Line& line) { return std::isnormal(line.slope) && line.slope > 0 && std::isfinite(line.offset); }

void ApplyLine(const Line& line, absl::Span<float> values) {
  for (float& value : values) value = line.slope * value + line.offset;
}

}  // namespace thinwire
