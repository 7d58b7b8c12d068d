// The only place where protos become structs and back. What comes from a wire or a file is checked whole here; errors
// are INVALID_ARGUMENT and name the field.
#ifndef THINWIRE_COMMON_WIRE_CONVERT_H_
#define THINWIRE_COMMON_WIRE_CONVERT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/codec/codec_spec.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "thinwire/v1/model.pb.h"
#include "thinwire/v1/plan.pb.h"

namespace thinwire {

v1::ModelSpec ToProto(const ModelSpec& spec);
absl::StatusOr<ModelSpec> FromProto(const v1::ModelSpec& proto);

v1::PayloadRef ToProto(const PayloadRef& ref);
absl::StatusOr<PayloadRef> FromProto(const v1::PayloadRef& proto);

v1::ValueCodec ToProto(const CodecSpec& spec);
absl::StatusOr<CodecSpec> FromProto(const v1::ValueCodec& proto);

v1::SubspacePlan ToProto(const SubspacePlan& plan);
// Unchecked: ExchangePlan::Validate checks it with the rest of its plan.
SubspacePlan FromProto(const v1::SubspacePlan& proto);

v1::CountSketch ToProto(const SketchPlan& plan);
// Unchecked, as that of a subspace.
SketchPlan FromProto(const v1::CountSketch& proto);

v1::ExchangePlan ToProto(const ExchangePlan& plan);
// Also INVALID_ARGUMENT for a plan that ExchangePlan::Validate refuses.
absl::StatusOr<ExchangePlan> FromProto(const v1::ExchangePlan& proto);

google::protobuf::Duration ToProto(absl::Duration duration);
// Out-of-range parts are refused; negative durations too.
absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& proto);

google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& proto);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_WIRE_CONVERT_H_
