#include "common/wire/convert.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/update_convert.h"

namespace thinwire {
namespace {

absl::StatusOr<ScaleRule> ScaleFromProto(v1::ScaleRule rule) {
  switch (rule) {
    case v1::SCALE_RULE_NONE:
      return ScaleRule::kNone;
    case v1::SCALE_RULE_POWER_OF_TWO:
      return ScaleRule::kPowerOfTwo;
    case v1::SCALE_RULE_ABSMAX:
      return ScaleRule::kAbsMax;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "float codec: scale is ", rule, "; use SCALE_RULE_NONE, SCALE_RULE_POWER_OF_TWO or SCALE_RULE_ABSMAX"));
  }
}

v1::ScaleRule ScaleToProto(ScaleRule rule) {
  switch (rule) {
    case ScaleRule::kNone:
      return v1::SCALE_RULE_NONE;
    case ScaleRule::kPowerOfTwo:
      return v1::SCALE_RULE_POWER_OF_TWO;
    case ScaleRule::kAbsMax:
      return v1::SCALE_RULE_ABSMAX;
  }
  return v1::SCALE_RULE_UNSPECIFIED;
}

absl::Status CheckFormat(absl::string_view codec, uint32_t exponent_bits, uint32_t mantissa_bits) {
  if (exponent_bits <= 8 && mantissa_bits <= 23) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(codec, ": S1E", exponent_bits, "M", mantissa_bits,
                                                 " is out of range; use 2..8 exponent and 0..23 mantissa bits"));
}

// INVALID_ARGUMENT unless `group` is a power of two that a frame can state.
absl::StatusOr<int> GroupFromProto(uint32_t group) {
  if (group == 0) return BlockOptions::kMaxGroupLog2;
  for (int log2 = BlockOptions::kMinGroupLog2; log2 <= BlockOptions::kMaxGroupLog2; ++log2) {
    if (group == 1u << log2) return log2;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("float blocks: scale_group is ", group, "; use 64, 128, 256, 512, 1024, 2048 or 4096"));
}

absl::StatusOr<CodecSpec> FromProto(const v1::FloatBlocksCodec& proto) {
  TW_ASSIGN_OR_RETURN(const ScaleRule scale, ScaleFromProto(proto.scale()));
  TW_RETURN_IF_ERROR(CheckFormat("float blocks", proto.exponent_bits(), proto.mantissa_bits()));
  if (!v1::FloatRounding_IsValid(proto.rounding())) {
    return absl::InvalidArgumentError(absl::StrCat("float blocks: rounding is ", proto.rounding(),
                                                   "; use FLOAT_ROUNDING_NEAREST_EVEN or FLOAT_ROUNDING_TRUNCATE"));
  }
  BlockOptions blocks;
  TW_ASSIGN_OR_RETURN(blocks.scale_group_log2, GroupFromProto(proto.scale_group()));
  blocks.correction = proto.correction();
  blocks.truncate = proto.rounding() == v1::FLOAT_ROUNDING_TRUNCATE;
  blocks.weights_only = proto.weights_only();
  TW_ASSIGN_OR_RETURN(blocks.exact_one_in, ExactOneIn(proto.partial()));
  blocks.fp32_tensors.assign(proto.fp32_tensors().begin(), proto.fp32_tensors().end());
  std::sort(blocks.fp32_tensors.begin(), blocks.fp32_tensors.end());
  const CodecSpec spec = CodecSpec::FloatBlocks(static_cast<int>(proto.exponent_bits()),
                                                static_cast<int>(proto.mantissa_bits()), scale, blocks);
  TW_RETURN_IF_ERROR(spec.Validate());
  return spec;
}

v1::FloatBlocksCodec BlocksToProto(const CodecSpec& spec) {
  v1::FloatBlocksCodec proto;
  proto.set_exponent_bits(static_cast<uint32_t>(spec.format.exponent_bits));
  proto.set_mantissa_bits(static_cast<uint32_t>(spec.format.mantissa_bits));
  proto.set_scale(ScaleToProto(spec.scale));
  proto.set_scale_group(1u << spec.blocks.scale_group_log2);
  proto.set_correction(spec.blocks.correction);
  proto.set_rounding(spec.blocks.truncate ? v1::FLOAT_ROUNDING_TRUNCATE : v1::FLOAT_ROUNDING_NEAREST_EVEN);
  proto.set_weights_only(spec.blocks.weights_only);
  proto.set_partial(spec.blocks.exact_one_in == 0 ? 0 : 1.0 / spec.blocks.exact_one_in);
  for (const std::string& name : spec.blocks.fp32_tensors) proto.add_fp32_tensors(name);
  return proto;
}

// What of an update travels. Checked as far as the struct cannot say it.
absl::Status ReducedFromProto(const v1::Uplink& proto, ExchangePlan* plan) {
  if (proto.has_top_k()) {
    if (proto.top_k().k() == 0) return absl::InvalidArgumentError("uplink.top_k.k is 0, must be 1 or more");
    if (proto.has_update()) {
      return absl::InvalidArgumentError(
          "uplink.update and uplink.top_k: both say what of an update travels; choose one");
    }
    if (plan->uplink.id == CodecId::kFloatBlocks) {
      return absl::InvalidArgumentError(
          "uplink.value is float blocks, but the entries of a top-k update are no blocks; use fp32 or float");
    }
    plan->top_k = proto.top_k().k();
    plan->uplink = CodecSpec::Sparse(plan->uplink);
  }
  if (proto.has_error_feedback()) {
    plan->error_decay = proto.error_feedback().has_decay() ? proto.error_feedback().decay() : 1;
    if (plan->error_decay == 0) return absl::InvalidArgumentError("uplink.error_feedback.decay is 0; leave it out");
  }
  if (proto.has_sketch()) plan->sketch = thinwire::FromProto(proto.sketch());
  return absl::OkStatus();
}

// The codec of what travels up.
absl::Status UplinkCodecFromProto(const v1::Uplink& proto, ExchangePlan* plan) {
  if (!proto.has_update()) {
    TW_ASSIGN_OR_RETURN(plan->uplink, thinwire::FromProto(proto.value()));
    return absl::OkStatus();
  }
  if (proto.has_value()) {
    return absl::InvalidArgumentError("uplink.value and uplink.update: both name a codec; an update needs no value");
  }
  TW_ASSIGN_OR_RETURN(plan->update, thinwire::FromProto(proto.update()));
  plan->uplink = CodecSpec::Update(plan->update->codec());
  return absl::OkStatus();
}

absl::StatusOr<TensorSpec> TensorFromProto(const v1::TensorSpec& proto) {
  TensorSpec tensor;
  tensor.name = proto.name();
  tensor.shape.assign(proto.shape().begin(), proto.shape().end());
  // The numbers of the enums agree; ModelSpec::Create refuses unknown ones.
  tensor.dtype = static_cast<DataType>(proto.data_type());
  tensor.role = static_cast<TensorRole>(proto.role());
  if (!v1::DataType_IsValid(proto.data_type()) || !v1::TensorRole_IsValid(proto.role())) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", proto.name(), "' has an unknown data type (",
                                                   proto.data_type(), ") or role (", proto.role(), ")"));
  }
  return tensor;
}

}  // namespace

v1::ModelSpec ToProto(const ModelSpec& spec) {
  v1::ModelSpec proto;
  for (const TensorSpec& tensor : spec.tensors()) {
    v1::TensorSpec* out = proto.add_tensors();
    out->set_name(tensor.name);
    for (const int64_t size : tensor.shape) out->add_shape(size);
    out->set_data_type(static_cast<v1::DataType>(tensor.dtype));
    out->set_role(static_cast<v1::TensorRole>(tensor.role));
  }
  return proto;
}

absl::StatusOr<ModelSpec> FromProto(const v1::ModelSpec& proto) {
  std::vector<TensorSpec> tensors;
  tensors.reserve(proto.tensors_size());
  for (const v1::TensorSpec& tensor : proto.tensors()) {
    TW_ASSIGN_OR_RETURN(TensorSpec converted, TensorFromProto(tensor));
    tensors.push_back(std::move(converted));
  }
  return ModelSpec::Create(std::move(tensors));
}

v1::PayloadRef ToProto(const PayloadRef& ref) {
  v1::PayloadRef proto;
  proto.set_payload_id(std::string(ref.id.AsBytes()));
  proto.set_total_size(ref.total_size);
  proto.set_manifest_size(ref.manifest_size);
  return proto;
}

absl::StatusOr<PayloadRef> FromProto(const v1::PayloadRef& proto) {
  PayloadRef ref;
  absl::StatusOr<Digest> id = Digest::FromBytes(proto.payload_id());
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("payload_id: ", id.status().message()));
  ref.id = *id;
  ref.total_size = proto.total_size();
  ref.manifest_size = proto.manifest_size();
  if (ref.manifest_size < kManifestHeaderSize || ref.manifest_size > ref.total_size) {
    return absl::InvalidArgumentError(absl::StrCat("payload: manifest_size ", ref.manifest_size, " must be at least ",
                                                   kManifestHeaderSize, " and at most total_size ", ref.total_size));
  }
  return ref;
}

v1::ValueCodec ToProto(const CodecSpec& spec) {
  v1::ValueCodec proto;
  if (spec.id == CodecId::kSparse) return ToProto(spec.SparseValues());
  if (spec.id == CodecId::kFloat) {
    proto.mutable_float_()->set_exponent_bits(static_cast<uint32_t>(spec.format.exponent_bits));
    proto.mutable_float_()->set_mantissa_bits(static_cast<uint32_t>(spec.format.mantissa_bits));
    proto.mutable_float_()->set_scale(ScaleToProto(spec.scale));
  } else if (spec.id == CodecId::kFloatBlocks) {
    *proto.mutable_float_blocks() = BlocksToProto(spec);
  } else {
    proto.mutable_fp32();
  }
  return proto;
}

absl::StatusOr<CodecSpec> FromProto(const v1::ValueCodec& proto) {
  switch (proto.codec_case()) {
    case v1::ValueCodec::kFp32:
      return CodecSpec::Fp32();
    case v1::ValueCodec::kFloat: {
      TW_ASSIGN_OR_RETURN(const ScaleRule scale, ScaleFromProto(proto.float_().scale()));
      TW_RETURN_IF_ERROR(CheckFormat("float codec", proto.float_().exponent_bits(), proto.float_().mantissa_bits()));
      const CodecSpec spec = CodecSpec::Float(static_cast<int>(proto.float_().exponent_bits()),
                                              static_cast<int>(proto.float_().mantissa_bits()), scale);
      TW_RETURN_IF_ERROR(spec.Validate());
      return spec;
    }
    case v1::ValueCodec::kFloatBlocks:
      return FromProto(proto.float_blocks());
    case v1::ValueCodec::CODEC_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "a direction names no value codec; set fp32 {}, float { ... } or float_blocks { ... }");
}

v1::ExchangePlan ToProto(const ExchangePlan& plan) {
  v1::ExchangePlan proto;
  *proto.mutable_downlink()->mutable_value() = ToProto(plan.downlink);
  if (plan.update.has_value()) {
    *proto.mutable_uplink()->mutable_update() = ToProto(*plan.update);
  } else {
    *proto.mutable_uplink()->mutable_value() = ToProto(plan.uplink);
  }
  proto.mutable_uplink()->set_representation(plan.uplink_representation == Representation::kModel
                                                 ? v1::UPLINK_REPRESENTATION_MODEL
                                                 : v1::UPLINK_REPRESENTATION_DELTA);
  if (plan.subspace.has_value()) *proto.mutable_subspace() = ToProto(*plan.subspace);
  if (plan.top_k > 0) proto.mutable_uplink()->mutable_top_k()->set_k(plan.top_k);
  if (plan.error_decay > 0) proto.mutable_uplink()->mutable_error_feedback()->set_decay(plan.error_decay);
  if (plan.sketch.has_value()) *proto.mutable_uplink()->mutable_sketch() = ToProto(*plan.sketch);
  return proto;
}

v1::CountSketch ToProto(const SketchPlan& plan) {
  v1::CountSketch proto;
  proto.set_rows(plan.rows);
  proto.set_columns(plan.columns);
  proto.set_k(plan.k);
  proto.set_momentum(plan.momentum);
  proto.set_subtract(plan.subtract);
  return proto;
}

SketchPlan FromProto(const v1::CountSketch& proto) {
  SketchPlan plan;
  if (proto.rows() > 0) plan.rows = proto.rows();
  plan.columns = proto.columns();
  plan.k = proto.k();
  if (proto.has_momentum()) plan.momentum = proto.momentum();
  plan.subtract = proto.subtract();
  return plan;
}

v1::SubspacePlan ToProto(const SubspacePlan& plan) {
  v1::SubspacePlan proto;
  proto.set_dimension(plan.dimension);
  proto.set_vectors(plan.vectors);
  proto.set_epoch_rounds(plan.epoch_rounds);
  proto.set_block_size(plan.block_size);
  proto.set_normal_diagonal(plan.normal_diagonal);
  return proto;
}

SubspacePlan FromProto(const v1::SubspacePlan& proto) {
  SubspacePlan plan;
  plan.dimension = proto.dimension();
  if (proto.vectors() > 0) plan.vectors = proto.vectors();
  plan.epoch_rounds = proto.epoch_rounds();
  plan.block_size = proto.block_size();
  plan.normal_diagonal = proto.normal_diagonal();
  return plan;
}

absl::StatusOr<ExchangePlan> FromProto(const v1::ExchangePlan& proto) {
  ExchangePlan plan;
  TW_ASSIGN_OR_RETURN(plan.downlink, FromProto(proto.downlink().value()));
  TW_RETURN_IF_ERROR(UplinkCodecFromProto(proto.uplink(), &plan));
  switch (proto.uplink().representation()) {
    case v1::UPLINK_REPRESENTATION_DELTA:
      plan.uplink_representation = Representation::kDelta;
      break;
    case v1::UPLINK_REPRESENTATION_MODEL:
      plan.uplink_representation = Representation::kModel;
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("uplink.representation is ", proto.uplink().representation(),
                       "; use UPLINK_REPRESENTATION_DELTA or UPLINK_REPRESENTATION_MODEL"));
  }
  if (proto.has_subspace()) plan.subspace = FromProto(proto.subspace());
  TW_RETURN_IF_ERROR(ReducedFromProto(proto.uplink(), &plan));
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  // A protobuf duration spans at most about 10,000 years.
  const absl::Duration limited = std::min(std::max(duration, absl::ZeroDuration()), absl::Hours(24 * 365 * 1000));
  proto.set_seconds(absl::ToInt64Seconds(limited));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(limited - absl::Seconds(proto.seconds()))));
  return proto;
}

absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& proto) {
  constexpr int64_t kMaxSeconds = int64_t{365} * 24 * 3600 * 1000;
  if (proto.seconds() < 0 || proto.seconds() > kMaxSeconds || proto.nanos() < 0 || proto.nanos() > 999'999'999) {
    return absl::InvalidArgumentError(absl::StrCat("duration of ", proto.seconds(), " s and ", proto.nanos(),
                                                   " ns; it must be 0 or more and at most 1000 years"));
  }
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t nanos = absl::ToUnixNanos(time);
  proto.set_seconds(nanos / 1'000'000'000);
  proto.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return proto;
}

absl::Time FromTimestamp(const google::protobuf::Timestamp& proto) {
  return absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

}  // namespace thinwire
