// Part of convert.h: the codecs of whole updates.
#ifndef THINWIRE_COMMON_WIRE_UPDATE_CONVERT_H_
#define THINWIRE_COMMON_WIRE_UPDATE_CONVERT_H_

#include "absl/status/statusor.h"
#include "common/codec/update_plan.h"
#include "thinwire/v1/plan.pb.h"

namespace thinwire {

v1::UpdateCodec ToProto(const UpdatePlan& plan);
// Also INVALID_ARGUMENT for what UpdatePlan::Validate refuses.
absl::StatusOr<UpdatePlan> FromProto(const v1::UpdateCodec& proto);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_WIRE_UPDATE_CONVERT_H_
