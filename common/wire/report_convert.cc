#include "common/wire/report_convert.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"

namespace thinwire {
namespace {

absl::Status CheckNumber(const char* field, double value) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("coding.", field, " is ", value, "; it must be finite and at least 0"));
}

}  // namespace

v1::CodingReport ToProto(const CodingReport& report) {
  v1::CodingReport proto;
  *proto.mutable_time() = ToProto(report.time);
  if (report.distortion.has_value()) proto.set_distortion(*report.distortion);
  if (report.weighted_distortion.has_value()) proto.set_weighted_distortion(*report.weighted_distortion);
  if (report.unsent_norm.has_value()) proto.set_unsent_norm(*report.unsent_norm);
  return proto;
}

absl::StatusOr<CodingReport> FromProto(const v1::CodingReport& proto) {
  TW_RETURN_IF_ERROR(CheckNumber("distortion", proto.distortion()));
  TW_RETURN_IF_ERROR(CheckNumber("weighted_distortion", proto.weighted_distortion()));
  TW_RETURN_IF_ERROR(CheckNumber("unsent_norm", proto.unsent_norm()));
  CodingReport report;
  if (proto.has_time()) {
    TW_ASSIGN_OR_RETURN(report.time, FromProto(proto.time()));
  }
  if (proto.has_distortion()) report.distortion = proto.distortion();
  if (proto.has_weighted_distortion()) report.weighted_distortion = proto.weighted_distortion();
  if (proto.has_unsent_norm()) report.unsent_norm = proto.unsent_norm();
  return report;
}

}  // namespace thinwire
