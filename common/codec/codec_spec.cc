#include "common/codec/codec_spec.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status CheckRange(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", must be ", low, " to ", high));
}

const char* ScaleRuleName(ScaleRule rule) {
  switch (rule) {
    case ScaleRule::kNone:
      return "no scale";
    case ScaleRule::kPowerOfTwo:
      return "power-of-two scale";
    case ScaleRule::kAbsMax:
      return "absmax scale";
  }
  return "unknown scale";
}

absl::StatusOr<ScaleRule> ParseScaleRule(absl::string_view text) {
  if (text == "none") return ScaleRule::kNone;
  if (text.empty() || text == "pow2") return ScaleRule::kPowerOfTwo;
  if (text == "absmax") return ScaleRule::kAbsMax;
  return absl::InvalidArgumentError(absl::StrCat("unknown scale '", text.substr(0, 40), "', use none, pow2 or absmax"));
}

// Takes up to three digits off the front of `text`.
bool ConsumeNumber(absl::string_view* text, int* value) {
  size_t digits = 0;
  while (digits < text->size() && digits < 3 && absl::ascii_isdigit((*text)[digits])) ++digits;
  const bool parsed = absl::SimpleAtoi(text->substr(0, digits), value);
  text->remove_prefix(digits);
  return parsed;
}

}  // namespace

absl::Status CodecSpec::Validate() const {
  if (id == CodecId::kFp32 || id == CodecId::kInt64) return absl::OkStatus();
  if (id != CodecId::kFloat) {
    return absl::InvalidArgumentError(absl::StrCat("codec is ", static_cast<int>(id), ", must be 1 to 3"));
  }
  TW_RETURN_IF_ERROR(CheckRange("exponent_bits", format.exponent_bits, 2, 8));
  TW_RETURN_IF_ERROR(CheckRange("mantissa_bits", format.mantissa_bits, 0, 23));
  return CheckRange("scale rule", static_cast<int>(scale), 0, 2);
}

std::string CodecSpec::Name() const {
  if (id == CodecId::kFp32) return "fp32";
  if (id == CodecId::kInt64) return "int64";
  if (id != CodecId::kFloat) return absl::StrCat("unknown codec ", static_cast<int>(id));
  return absl::StrCat("s1e", format.exponent_bits, "m", format.mantissa_bits, " (", ScaleRuleName(scale), ")");
}

absl::StatusOr<CodecSpec> CodecSpec::Parse(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  absl::string_view rest = lower;
  if (rest == "fp32") return Fp32();
  int exponent_bits = 0, mantissa_bits = 0;
  const bool shaped = absl::ConsumePrefix(&rest, "s1e") && ConsumeNumber(&rest, &exponent_bits) &&
                      absl::ConsumePrefix(&rest, "m") && ConsumeNumber(&rest, &mantissa_bits) &&
                      (rest.empty() || (absl::ConsumePrefix(&rest, ":") && !rest.empty()));
  if (!shaped) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown codec '", text.substr(0, 80), "', use fp32 or s1eXmY, e.g. s1e3m7 or s1e3m7:absmax"));
  }
  TW_ASSIGN_OR_RETURN(const ScaleRule rule, ParseScaleRule(rest));
  const CodecSpec spec = Float(exponent_bits, mantissa_bits, rule);
  TW_RETURN_IF_ERROR(spec.Validate());
  return spec;
}

}  // namespace thinwire
