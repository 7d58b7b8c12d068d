#include "common/rdu/companding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/portable_math.h"

namespace thinwire {
namespace {

constexpr int kBias = 127, kMaxEighths = 128, kMaxScale = 254;

constexpr size_t kTile = 256;

// |unit x|^power with the sign of x, of up to kTile finite numbers; 0 of 0.
void SignedPowers(const float* x, size_t count, double unit, double power, double* out) {
  for (size_t i = 0; i < count; ++i) out[i] = x[i] == 0 ? 1 : unit * std::fabs(static_cast<double>(x[i]));
  PortablePowers(power, count, out);
  for (size_t i = 0; i < count; ++i) out[i] = x[i] == 0 ? x[i] : std::copysign(out[i], static_cast<double>(x[i]));
}

}  // namespace

Companding::Companding(double weight_exponent, float absmax)
    : eighths_(static_cast<uint8_t>(weight_exponent * 8 + 0.5)),
      scale_(static_cast<uint8_t>(std::clamp(absmax > 0 ? std::ilogb(absmax) + kBias : kBias, 1, kMaxScale))) {}

absl::StatusOr<Companding> Companding::Read(absl::string_view bytes) {
  Companding companding;
  companding.eighths_ = static_cast<uint8_t>(bytes[0]);
  companding.scale_ = static_cast<uint8_t>(bytes[1]);
  if (companding.eighths_ >= 1 && companding.eighths_ <= kMaxEighths && companding.scale_ >= 1 &&
      companding.scale_ <= kMaxScale) {
    return companding;
  }
  return absl::InvalidArgumentError(absl::StrCat("the companding of an update is coded ", companding.eighths_, ", ",
                                                 companding.scale_, "; there are 1 to ", kMaxEighths, ", 1 to ",
                                                 kMaxScale));
}

std::string Companding::Bytes() const { return {static_cast<char>(eighths_), static_cast<char>(scale_)}; }

std::vector<float> Companding::Compress(absl::Span<const float> values) const {
  const double unit = std::ldexp(1.0, kBias - scale_);
  std::vector<float> compressed(values.size());
  double powers[kTile];
  for (size_t first = 0; first < values.size(); first += kTile) {
    const size_t count = std::min(kTile, values.size() - first);
    SignedPowers(values.data() + first, count, unit, power(), powers);
    std::copy(powers, powers + count, compressed.begin() + static_cast<ptrdiff_t>(first));
  }
  return compressed;
}

void Companding::Expand(absl::Span<float> values) const {
  constexpr double kLargest = std::numeric_limits<float>::max();
  const double unit = std::ldexp(1.0, scale_ - kBias), inverse = 1 / power();
  double powers[kTile];
  for (size_t first = 0; first < values.size(); first += kTile) {
    const size_t count = std::min(kTile, values.size() - first);
    SignedPowers(values.data() + first, count, 1, inverse, powers);
    for (size_t i = 0; i < count; ++i) {
      values[first + i] = static_cast<float>(std::clamp(unit * powers[i], -kLargest, kLargest));
    }
  }
}

}  // namespace thinwire
