#include "common/wire/update_convert.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"

namespace thinwire {
namespace {

// What the structs hold in an int: larger numbers are out of every range.
int Small(uint32_t value) { return static_cast<int>(std::min(value, 1000u)); }

absl::Status LevelsFromProto(const v1::TopKLevelsCodec& proto, UpdatePlan* plan) {
  plan->method = UpdateMethod::kLevels;
  plan->weight_exponent.first = proto.magnitude_exponent();
  plan->value_bits = Small(proto.value_bits());
  plan->weibull = proto.family() == v1::DENSITY_FAMILY_DOUBLE_WEIBULL;
  plan->likelihood = proto.fit() == v1::DENSITY_FIT_LIKELIHOOD;
  if (!plan->weibull && proto.family() != v1::DENSITY_FAMILY_GENERALISED_NORMAL) {
    return absl::InvalidArgumentError(
        absl::StrCat("uplink.update.top_k_levels.family is ", proto.family(),
                     "; use DENSITY_FAMILY_GENERALISED_NORMAL or DENSITY_FAMILY_DOUBLE_WEIBULL"));
  }
  if (v1::DensityFit_IsValid(proto.fit())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("uplink.update.top_k_levels.fit is ", proto.fit(),
                                                 "; use DENSITY_FIT_MOMENTS or DENSITY_FIT_LIKELIHOOD"));
}

v1::TopKLevelsCodec LevelsToProto(const UpdatePlan& plan) {
  v1::TopKLevelsCodec proto;
  proto.set_family(plan.weibull ? v1::DENSITY_FAMILY_DOUBLE_WEIBULL : v1::DENSITY_FAMILY_GENERALISED_NORMAL);
  proto.set_magnitude_exponent(plan.weight_exponent.first);
  proto.set_value_bits(static_cast<uint32_t>(plan.value_bits));
  proto.set_fit(plan.likelihood ? v1::DENSITY_FIT_LIKELIHOOD : v1::DENSITY_FIT_MOMENTS);
  return proto;
}

absl::Status MethodFromProto(const v1::UpdateCodec& proto, UpdatePlan* plan) {
  switch (proto.codec_case()) {
    case v1::UpdateCodec::kRdu:
      plan->fast = proto.rdu().fast();
      plan->weight_exponent.first = proto.rdu().magnitude_exponent();
      return absl::OkStatus();
    case v1::UpdateCodec::kTopKLevels:
      return LevelsFromProto(proto.top_k_levels(), plan);
    case v1::UpdateCodec::kTopKUniform:
      plan->method = UpdateMethod::kUniform;
      plan->value_bits = Small(proto.top_k_uniform().value_bits());
      return absl::OkStatus();
    case v1::UpdateCodec::kTopKFloat:
      plan->method = UpdateMethod::kFloat;
      plan->format = {Small(proto.top_k_float().exponent_bits()), Small(proto.top_k_float().mantissa_bits())};
      return absl::OkStatus();
    case v1::UpdateCodec::kSign:
      plan->method = UpdateMethod::kSign;
      return absl::OkStatus();
    case v1::UpdateCodec::kQsgd:
      plan->method = UpdateMethod::kQsgd;
      plan->bucket = proto.qsgd().bucket();
      return absl::OkStatus();
    case v1::UpdateCodec::kEden:
      plan->method = UpdateMethod::kEden;
      plan->unbiased = proto.eden().unbiased();
      plan->rotate_twice = proto.eden().rotate_twice();
      return absl::OkStatus();
    case v1::UpdateCodec::CODEC_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "uplink.update names no codec; set rdu {}, top_k_levels { ... }, top_k_uniform { ... }, top_k_float { ... }, "
      "sign "
      "{}, qsgd {} or eden {}");
}

void MethodToProto(const UpdatePlan& plan, v1::UpdateCodec* proto) {
  switch (plan.method) {
    case UpdateMethod::kRdu:
      proto->mutable_rdu()->set_fast(plan.fast);
      return proto->mutable_rdu()->set_magnitude_exponent(plan.weight_exponent.first);
    case UpdateMethod::kLevels:
      *proto->mutable_top_k_levels() = LevelsToProto(plan);
      return;
    case UpdateMethod::kUniform:
      return proto->mutable_top_k_uniform()->set_value_bits(static_cast<uint32_t>(plan.value_bits));
    case UpdateMethod::kFloat:
      proto->mutable_top_k_float()->set_exponent_bits(static_cast<uint32_t>(plan.format.exponent_bits));
      return proto->mutable_top_k_float()->set_mantissa_bits(static_cast<uint32_t>(plan.format.mantissa_bits));
    case UpdateMethod::kSign:
      proto->mutable_sign();
      return;
    case UpdateMethod::kQsgd:
      return proto->mutable_qsgd()->set_bucket(plan.bucket);
    case UpdateMethod::kEden:
      proto->mutable_eden()->set_unbiased(plan.unbiased);
      return proto->mutable_eden()->set_rotate_twice(plan.rotate_twice);
  }
}

}  // namespace

v1::UpdateCodec ToProto(const UpdatePlan& plan) {
  v1::UpdateCodec proto;
  if (plan.link.has_value()) {
    proto.mutable_link()->set_bits_per_second(plan.link->bits_per_second);
    *proto.mutable_link()->mutable_time() = ToProto(absl::Seconds(plan.link->seconds));
    proto.mutable_link()->set_measured(plan.link->measured);
  } else if (plan.bits != 0) {
    proto.set_bits(plan.bits);
  } else {
    proto.set_bits_per_parameter(plan.bits_per_parameter);
  }
  MethodToProto(plan, &proto);
  if (plan.weight_exponent.rounds > 0) {
    proto.mutable_exponent_change()->set_to(plan.weight_exponent.last);
    proto.mutable_exponent_change()->set_rounds(plan.weight_exponent.rounds);
  }
  return proto;
}

absl::StatusOr<UpdatePlan> FromProto(const v1::UpdateCodec& proto) {
  UpdatePlan plan;
  plan.bits_per_parameter = proto.bits_per_parameter();
  plan.bits = proto.bits();
  if (proto.has_link()) {
    TW_ASSIGN_OR_RETURN(const absl::Duration time, FromProto(proto.link().time()));
    plan.link = LinkBudget{proto.link().bits_per_second(), absl::ToDoubleSeconds(time), proto.link().measured()};
  }
  TW_RETURN_IF_ERROR(MethodFromProto(proto, &plan));
  if (proto.has_exponent_change()) {
    plan.weight_exponent.last = proto.exponent_change().to();
    plan.weight_exponent.rounds = proto.exponent_change().rounds();
    if (plan.weight_exponent.rounds == 0) {
      return absl::InvalidArgumentError("uplink.update.exponent_change.rounds is 0; say in how many rounds M changes");
    }
  }
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace thinwire
