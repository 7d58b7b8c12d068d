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

// |x|^power with the sign of x, of a number that is neither 0 nor infinite.
double SignedPower(double x, double power) { return std::copysign(PortableExp(power * PortableLog(std::fabs(x))), x); }

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
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) compressed[i] = static_cast<float>(SignedPower(unit * values[i], power()));
  }
  return compressed;
}

void Companding::Expand(absl::Span<float> values) const {
  constexpr double kLargest = std::numeric_limits<float>::max();
  const double unit = std::ldexp(1.0, scale_ - kBias), inverse = 1 / power();
  for (float& value : values) {
    if (value == 0) continue;
    value = static_cast<float>(std::clamp(unit * SignedPower(value, inverse), -kLargest, kLargest));
  }
}

}  // namespace thinwire
