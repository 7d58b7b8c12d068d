#include "common/codec/float_environment.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

absl::Status Broken(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what,
                   "; encoded bytes would differ between machines. Look for a library built with -ffast-math, or "
                   "reset the floating-point mode at start"));
}

}  // namespace

absl::Status CheckFloatEnvironment() {
  // volatile: the arithmetic must happen here, not in the compiler.
  const volatile float smallest_normal = std::numeric_limits<float>::min();
  const volatile float smallest_subnormal = std::numeric_limits<float>::denorm_min();
  const volatile float half = 0.5f;
  const volatile float one = 1.0f;
  const volatile float quarter_ulp = std::numeric_limits<float>::epsilon() / 4;
  const volatile float three_quarters_ulp = 3 * quarter_ulp;
  const volatile float flushed_result = smallest_normal * half;
  if (flushed_result == 0.0f) return Broken("results below 2^-126 are flushed to zero");
  const volatile float flushed_input = smallest_subnormal * 16777216.0f;
  if (flushed_input == 0.0f) return Broken("subnormal inputs are read as zero");
  // One ulp of 1 is epsilon: a quarter must round away and three quarters up, with either sign.
  const volatile float stays = one + quarter_ulp, stays_negative = -one - quarter_ulp;
  const volatile float grows = one + three_quarters_ulp, grows_negative = -one - three_quarters_ulp;
  if (stays != one || stays_negative != -one || grows == one || grows_negative == -one) {
    return Broken("the rounding mode is not to nearest");
  }
  return absl::OkStatus();
}

}  // namespace thinwire
