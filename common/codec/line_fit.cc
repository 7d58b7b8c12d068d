#include "common/codec/line_fit.h"

#include <cmath>
#include <cstddef>

namespace thinwire {
namespace {

struct LineSums {
  double x = 0, y = 0, xx = 0, xy = 0;
};

// In lanes: a fixed order whatever the compiler makes of it.
constexpr size_t kLanes = 8;
struct LaneSums {
  double x[kLanes] = {}, y[kLanes] = {}, xx[kLanes] = {}, xy[kLanes] = {};

  // Values of consecutive lanes from the first on.
  void Add(const float* xs, const float* ys, size_t lanes) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      const double a = xs[lane], b = ys[lane];
      x[lane] += a;
      y[lane] += b;
      xx[lane] += a * a;
      xy[lane] += a * b;
    }
  }
};

LineSums SumsOf(absl::Span<const float> x, absl::Span<const float> y) {
  LaneSums lanes;
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) lanes.Add(x.data() + i, y.data() + i, kLanes);
  lanes.Add(x.data() + i, y.data() + i, x.size() - i);
  LineSums sums;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sums.x += lanes.x[lane];
    sums.y += lanes.y[lane];
    sums.xx += lanes.xx[lane];
    sums.xy += lanes.xy[lane];
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
