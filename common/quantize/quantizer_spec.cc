#include "common/quantize/quantizer_spec.h"

#include "absl/strings/str_cat.h"
#include "common/quantize/lloyd_levels.h"
#include "common/quantize/rotation.h"

namespace thinwire {
namespace {

absl::Status CheckLevels(const QuantizerSpec& spec) {
  if (spec.weight_exponent >= 0 && spec.weight_exponent <= kMaxWeightExponent) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("M is ", spec.weight_exponent, ", must be 0 to ", kMaxWeightExponent));
}

absl::Status CheckRotated(const QuantizerSpec& spec) {
  if (spec.rotations != 1 && spec.rotations != 2) {
    return absl::InvalidArgumentError(absl::StrCat("rotations is ", spec.rotations, ", must be 1 or 2"));
  }
  if (spec.block_log2 >= kMinBlockLog2 && spec.block_log2 <= kMaxBlockLog2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("block_log2 is ", spec.block_log2, ", must be ", kMinBlockLog2, " to ", kMaxBlockLog2));
}

std::string TopKName(const QuantizerSpec& spec) {
  const ValueFormat& values = spec.values;
  if (values.coding == ValueCoding::kUniform) return absl::StrCat("top-k uniform R=", values.bits);
  if (values.coding == ValueCoding::kFloat) {
    return absl::StrCat("top-k s1e", values.format.exponent_bits, "m", values.format.mantissa_bits);
  }
  const bool weibull = spec.family == DensityFamily::kDoubleWeibull;
  return absl::StrCat("top-k ", weibull ? "weibull" : "gennorm", spec.fit == FitMethod::kLikelihood ? " (ml)" : "",
                      " M=", spec.weight_exponent, " R=", values.bits);
}

}  // namespace

QuantizerSpec QuantizerSpec::Lloyd(DensityFamily family, double weight_exponent, int bits) {
  QuantizerSpec spec;
  spec.values.bits = bits;
  spec.family = family;
  spec.weight_exponent = weight_exponent;
  return spec;
}

QuantizerSpec QuantizerSpec::Uniform(int bits) {
  QuantizerSpec spec;
  spec.values.coding = ValueCoding::kUniform;
  spec.values.bits = bits;
  return spec;
}

QuantizerSpec QuantizerSpec::Float(int exponent_bits, int mantissa_bits) {
  QuantizerSpec spec;
  spec.values.coding = ValueCoding::kFloat;
  spec.values.format = {exponent_bits, mantissa_bits};
  return spec;
}

QuantizerSpec QuantizerSpec::Sign() {
  QuantizerSpec spec;
  spec.method = QuantizerMethod::kSign;
  return spec;
}

QuantizerSpec QuantizerSpec::Qsgd(uint64_t bucket) {
  QuantizerSpec spec;
  spec.method = QuantizerMethod::kQsgd;
  spec.bucket = bucket;
  return spec;
}

QuantizerSpec QuantizerSpec::Rotated(bool unbiased) {
  QuantizerSpec spec;
  spec.method = QuantizerMethod::kRotated;
  spec.unbiased = unbiased;
  return spec;
}

absl::Status QuantizerSpec::Validate() const {
  switch (method) {
    case QuantizerMethod::kTopK: {
      const absl::Status format = values.Validate();
      return format.ok() && values.coding == ValueCoding::kLevels ? CheckLevels(*this) : format;
    }
    case QuantizerMethod::kSign:
    case QuantizerMethod::kQsgd:
      return absl::OkStatus();
    case QuantizerMethod::kRotated:
      return CheckRotated(*this);
  }
  return absl::InvalidArgumentError(absl::StrCat("quantiser ", static_cast<int>(method), " is not one of 1 to 4"));
}

std::string QuantizerSpec::Name() const {
  switch (method) {
    case QuantizerMethod::kSign:
      return "sign";
    case QuantizerMethod::kQsgd:
      return bucket == 0 ? "qsgd" : absl::StrCat("qsgd ", bucket);
    case QuantizerMethod::kRotated:
      return absl::StrCat("eden ", unbiased ? "unbiased" : "biased", rotations == 2 ? " twice" : "");
    default:
      return TopKName(*this);
  }
}

}  // namespace thinwire
