#include "common/codec/codec_spec.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
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

absl::Status CheckNames(const std::vector<std::string>& names) {
  if (names.size() > BlockOptions::kMaxFp32Tensors) {
    return absl::InvalidArgumentError(absl::StrCat("fp32_tensors has ", names.size(), " names, at most ",
                                                   BlockOptions::kMaxFp32Tensors,
                                                   "; use weights_only, or make the tensors frozen"));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) return absl::InvalidArgumentError("fp32_tensors has an empty name");
    if (i > 0 && names[i - 1] >= names[i]) {
      return absl::InvalidArgumentError(absl::StrCat("fp32_tensors has '", names[i], "' twice, or out of order"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBlocks(const CodecSpec& spec) {
  const BlockOptions& blocks = spec.blocks;
  const int low = BlockOptions::kMinGroupLog2, high = BlockOptions::kMaxGroupLog2;
  if (blocks.scale_group_log2 < low || blocks.scale_group_log2 > high) {
    return absl::InvalidArgumentError(absl::StrCat("scale_group is 2^", blocks.scale_group_log2, ", must be ", 1 << low,
                                                   ", ", 2 << low, " ... or ", 1 << high));
  }
  if (spec.scale == ScaleRule::kNone && blocks.scale_group_log2 != high) {
    return absl::InvalidArgumentError(absl::StrCat("scale_group is ", 1 << blocks.scale_group_log2,
                                                   ", but there is no scale to share; leave it out, or name a scale"));
  }
  TW_RETURN_IF_ERROR(CheckNames(blocks.fp32_tensors));
  if (blocks.exact_one_in == 0 || (blocks.exact_one_in >= 2 && blocks.exact_one_in <= BlockOptions::kMaxOneIn)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("partial leaves one in ", blocks.exact_one_in,
                                                 " row blocks exact, must be one in 2 to ", BlockOptions::kMaxOneIn,
                                                 ", or 0 for none"));
}

std::string BlocksText(const CodecSpec& spec) {
  const BlockOptions& blocks = spec.blocks;
  std::string text = ScaleRuleName(spec.scale);
  if (spec.scale != ScaleRule::kNone) absl::StrAppend(&text, " of ", 1 << blocks.scale_group_log2, " values");
  if (blocks.correction) absl::StrAppend(&text, ", correction");
  if (blocks.truncate) absl::StrAppend(&text, ", truncated");
  if (blocks.weights_only) absl::StrAppend(&text, ", weights only");
  if (!blocks.fp32_tensors.empty()) absl::StrAppend(&text, ", fp32 for ", absl::StrJoin(blocks.fp32_tensors, " "));
  if (blocks.exact_one_in > 0) absl::StrAppend(&text, ", 1 in ", blocks.exact_one_in, " exact");
  return text;
}

absl::StatusOr<int> ParseGroup(absl::string_view text) {
  for (int log2 = BlockOptions::kMinGroupLog2; log2 <= BlockOptions::kMaxGroupLog2; ++log2) {
    if (text == absl::StrCat(1 << log2)) return log2;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("scale group '", text.substr(0, 40), "' behind '/', use 64, 128, 256, 512, 1024, 2048 or 4096"));
}

absl::Status ParseBlockOption(absl::string_view text, BlockOptions* blocks) {
  double share = 0;
  if (text == "correction") {
    blocks->correction = true;
  } else if (text == "truncate") {
    blocks->truncate = true;
  } else if (text == "weights") {
    blocks->weights_only = true;
  } else if (absl::ConsumePrefix(&text, "partial=") && absl::SimpleAtod(text, &share)) {
    TW_ASSIGN_OR_RETURN(blocks->exact_one_in, ExactOneIn(share));
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown option '", text.substr(0, 40), "', use correction, truncate, weights or partial=SHARE"));
  }
  return absl::OkStatus();
}

// What stands behind the '/' of float blocks.
absl::StatusOr<BlockOptions> ParseBlocks(absl::string_view text) {
  BlockOptions blocks;
  bool first = true;
  for (const absl::string_view part : absl::StrSplit(text, '+')) {
    if (first) {
      TW_ASSIGN_OR_RETURN(blocks.scale_group_log2, ParseGroup(part));
    } else {
      TW_RETURN_IF_ERROR(ParseBlockOption(part, &blocks));
    }
    first = false;
  }
  return blocks;
}

}  // namespace

absl::StatusOr<uint32_t> ExactOneIn(double share) {
  if (share == 0) return 0u;
  if (!(share >= 0.01 && share <= 0.5)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "partial is ", share, ", must be 0, or 0.01 to 0.5: beyond half, send the model in a wider format instead"));
  }
  // 1 / share is at least 2: adding a half and cutting off rounds to nearest.
  const uint32_t one_in = static_cast<uint32_t>(1 / share + 0.5);
  if (std::abs(1.0 / one_in - share) <= 0.005) return one_in;
  return absl::InvalidArgumentError(absl::StrCat(
      "partial is ", share, ", must be one in a whole number of row blocks: ", 1.0 / one_in, " is the nearest"));
}

absl::Status CodecSpec::Validate() const {
  const bool plain = id == CodecId::kFp32 || id == CodecId::kInt64 || id == CodecId::kRdu || id == CodecId::kQuantized;
  if (plain) return absl::OkStatus();
  if (id != CodecId::kFloat && id != CodecId::kFloatBlocks && id != CodecId::kSparse) {
    return absl::InvalidArgumentError(
        absl::StrCat("codec is ", static_cast<int>(id), ", must be 1 to ", static_cast<int>(kLastCodecId)));
  }
  TW_RETURN_IF_ERROR(CheckRange("exponent_bits", format.exponent_bits, 2, 8));
  TW_RETURN_IF_ERROR(CheckRange("mantissa_bits", format.mantissa_bits, 0, 23));
  TW_RETURN_IF_ERROR(CheckRange("scale rule", static_cast<int>(scale), 0, 2));
  return id == CodecId::kFloatBlocks ? CheckBlocks(*this) : absl::OkStatus();
}

std::string CodecSpec::Name() const {
  if (id == CodecId::kFp32) return "fp32";
  if (id == CodecId::kInt64) return "int64";
  if (id == CodecId::kRdu) return "rdu";
  if (id == CodecId::kQuantized) return "quantized";
  if (id == CodecId::kSparse) return absl::StrCat("positions and ", SparseValues().Name());
  const std::string format_name = absl::StrCat("s1e", format.exponent_bits, "m", format.mantissa_bits);
  if (id == CodecId::kFloat) return absl::StrCat(format_name, " (", ScaleRuleName(scale), ")");
  if (id == CodecId::kFloatBlocks) return absl::StrCat(format_name, " blocks (", BlocksText(*this), ")");
  return absl::StrCat("unknown codec ", static_cast<int>(id));
}

absl::StatusOr<CodecSpec> CodecSpec::Parse(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  const size_t slash = lower.find('/');
  absl::string_view rest = absl::string_view(lower).substr(0, slash);
  if (lower == "fp32") return Fp32();
  int exponent_bits = 0, mantissa_bits = 0;
  const bool shaped = absl::ConsumePrefix(&rest, "s1e") && ConsumeNumber(&rest, &exponent_bits) &&
                      absl::ConsumePrefix(&rest, "m") && ConsumeNumber(&rest, &mantissa_bits) &&
                      (rest.empty() || (absl::ConsumePrefix(&rest, ":") && !rest.empty()));
  if (!shaped) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown codec '", text.substr(0, 80), "', use fp32 or s1eXmY, e.g. s1e3m7 or s1e3m7:absmax"));
  }
  TW_ASSIGN_OR_RETURN(const ScaleRule rule, ParseScaleRule(rest));
  CodecSpec spec = Float(exponent_bits, mantissa_bits, rule);
  if (slash != std::string::npos) {
    spec.id = CodecId::kFloatBlocks;
    TW_ASSIGN_OR_RETURN(spec.blocks, ParseBlocks(absl::string_view(lower).substr(slash + 1)));
  }
  TW_RETURN_IF_ERROR(spec.Validate());
  return spec;
}

}  // namespace thinwire
