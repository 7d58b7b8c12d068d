#include "common/codec/sketch_plan.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/tensor/model_spec.h"

namespace thinwire {
namespace {

absl::Status TakePart(absl::string_view part, SketchPlan* plan) {
  if (part == "subtract") {
    plan->subtract = true;
    return absl::OkStatus();
  }
  const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
  const bool good = field.first == "rows"       ? absl::SimpleAtoi(field.second, &plan->rows)
                    : field.first == "columns"  ? absl::SimpleAtoi(field.second, &plan->columns)
                    : field.first == "k"        ? absl::SimpleAtoi(field.second, &plan->k)
                    : field.first == "momentum" ? absl::SimpleAtod(field.second, &plan->momentum)
                                                : false;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", part,
                   "' is no part of a sketch; rows=NUMBER, columns=NUMBER, k=NUMBER, momentum=NUMBER and subtract are, "
                   "separated by commas"));
}

absl::Status CheckRange(const char* field, uint64_t value, uint64_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("uplink.sketch.", field, " is ", value, ", must be 1 to ", most));
}

}  // namespace

absl::Status SketchPlan::Validate() const {
  TW_RETURN_IF_ERROR(CheckRange("rows", rows, kMaxRows));
  TW_RETURN_IF_ERROR(CheckRange("columns", columns, kMaxColumns));
  TW_RETURN_IF_ERROR(CheckRange("k", k, ModelSpec::kMaxValues));
  if (momentum >= 0 && momentum < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("uplink.sketch.momentum is ", momentum, ", must be at least 0 and below 1"));
}

std::string SketchPlan::Name() const {
  return absl::StrCat("sketch of ", rows, " x ", columns, " (top ", k, ", momentum ", momentum,
                      subtract ? ", subtracted)" : ")");
}

absl::StatusOr<SketchPlan> SketchPlan::Parse(absl::string_view text) {
  SketchPlan plan;
  for (const absl::string_view part : absl::StrSplit(text, ',')) TW_RETURN_IF_ERROR(TakePart(part, &plan));
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace thinwire
