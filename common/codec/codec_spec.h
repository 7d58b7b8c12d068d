// Which codec a tensor's values go through, as plain data.
#ifndef THINWIRE_COMMON_CODEC_CODEC_SPEC_H_
#define THINWIRE_COMMON_CODEC_CODEC_SPEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Frozen in the wire format: an id is never reused, and a changed encoding takes a new id.
enum class CodecId : uint8_t { kFp32 = 1, kFloat = 2, kInt64 = 3 };

enum class ScaleRule : uint8_t { kNone = 0, kPowerOfTwo = 1, kAbsMax = 2 };

// S1ExMy: 1 sign bit, `exponent_bits` in 2..8, `mantissa_bits` in 0..23. The top exponent holds numbers, except at 8
// exponent bits, where it is IEEE's infinities and NaNs and therefore unused. Bias 2^(E-1)-1.
struct FloatFormat {
  int exponent_bits = 8;
  int mantissa_bits = 23;
  int width() const { return 1 + exponent_bits + mantissa_bits; }
};

struct CodecSpec {
  CodecId id = CodecId::kFp32;
  FloatFormat format;                  // kFloat only
  ScaleRule scale = ScaleRule::kNone;  // kFloat only

  static CodecSpec Fp32() { return {}; }
  static CodecSpec Float(int exponent_bits, int mantissa_bits, ScaleRule scale) {
    return {CodecId::kFloat, {exponent_bits, mantissa_bits}, scale};
  }
  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "fp32", "s1e3m7 (power-of-two scale)".
  std::string Name() const;
  // "fp32", or "s1eXmY" with an optional ":none", ":pow2" (default) or ":absmax"; case is ignored.
  static absl::StatusOr<CodecSpec> Parse(absl::string_view text);

  friend bool operator==(const CodecSpec& a, const CodecSpec& b) {
    return a.id == b.id && a.format.exponent_bits == b.format.exponent_bits &&
           a.format.mantissa_bits == b.format.mantissa_bits && a.scale == b.scale;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_CODEC_SPEC_H_
