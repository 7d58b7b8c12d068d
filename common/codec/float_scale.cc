#include "common/codec/float_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/codec/float_format.h"

namespace thinwire {
namespace {

constexpr float kSmallestNormal = std::numeric_limits<float>::min();
constexpr uint32_t kMantissaMask = 0x007fffffu;

// 2^exponent, exponent in -126..127.
float PowerOfTwo(int exponent) { return FloatFromBits(static_cast<uint32_t>(exponent + 127) << 23); }

// Exponent of the leading bit of a normal number.
int LeadingExponent(float value) { return static_cast<int>((FloatBits(value) >> 23) & 0xff) - 127; }

float PowerOfTwoScale(float largest, float absmax) {
  if (absmax < kSmallestNormal) return kSmallestNormal;  // `largest` is above 1
  const bool one_more = (FloatBits(absmax) & kMantissaMask) > (FloatBits(largest) & kMantissaMask);
  const int wanted = LeadingExponent(absmax) - LeadingExponent(largest) + (one_more ? 1 : 0);
  return PowerOfTwo(std::clamp(wanted, -126, 127 - LeadingExponent(largest)));
}

float AbsMaxScale(float largest, float absmax) {
  const float scale = std::max(absmax / largest, kSmallestNormal);
  // The quotient may be rounded up so far that the largest code would decode to infinity: one step down is enough.
  return std::isfinite(scale * largest) ? scale : FloatFromBits(FloatBits(scale) - 1);
}

}  // namespace

float ChooseFloatScale(FloatFormat format, ScaleRule rule, float absmax) {
  if (rule == ScaleRule::kNone || absmax == 0) return 1;
  const float largest = LargestFinite(format);
  return rule == ScaleRule::kPowerOfTwo ? PowerOfTwoScale(largest, absmax) : AbsMaxScale(largest, absmax);
}

absl::Status CheckFloatScale(FloatFormat format, ScaleRule rule, float scale) {
  const bool lawful = std::isnormal(scale) && scale > 0 && std::isfinite(scale * LargestFinite(format));
  if (!lawful) {
    return absl::InvalidArgumentError(absl::StrCat(
        "scale is ", scale, ", must be a positive normal number with which the largest code stays finite"));
  }
  if (rule == ScaleRule::kNone && scale != 1) {
    return absl::InvalidArgumentError(absl::StrCat("scale is ", scale, ", must be 1 without a scale rule"));
  }
  if (rule == ScaleRule::kPowerOfTwo && (FloatBits(scale) & kMantissaMask) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("scale is ", scale, ", must be a power of two"));
  }
  return absl::OkStatus();
}

size_t ScaleSize(ScaleRule rule) {
  return rule == ScaleRule::kNone ? 0 : rule == ScaleRule::kPowerOfTwo ? 1 : sizeof(float);
}

void StoreScale(ScaleRule rule, float scale, uint8_t* at) {
  if (rule == ScaleRule::kPowerOfTwo) *at = static_cast<uint8_t>(LeadingExponent(scale));
  if (rule == ScaleRule::kAbsMax) StoreLittle<uint32_t>(FloatBits(scale), at);
}

float LoadScale(ScaleRule rule, const uint8_t* at) {
  if (rule == ScaleRule::kNone) return 1;
  if (rule == ScaleRule::kAbsMax) return FloatFromBits(LoadLittle<uint32_t>(at));
  const int exponent = static_cast<int8_t>(*at);
  // -127 becomes 0 as well: neither is a lawful scale.
  return exponent == -128 ? 0.0f : PowerOfTwo(exponent);
}

}  // namespace thinwire
