#include "common/codec/exchange_plan.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status CheckValueCodec(absl::string_view direction, const CodecSpec& codec) {
  if (codec.id == CodecId::kInt64) {
    return absl::InvalidArgumentError(absl::StrCat(direction, ".value is int64; use fp32, float or float blocks"));
  }
  const absl::Status status = codec.Validate();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(direction, ".value: ", status.message()));
}

// Whether every value that `downlink` can decode to comes through `uplink` unchanged, so that a client that does not
// move uploads exactly what it got. FP32 carries anything; a format carries itself if rounding is all that is done to
// it or the scale is a power of two (float_scale.h), an absmax scale does not, and neither does a correction. The row
// blocks that came exact go back exact (client/session/update_encoder.h).
bool CarriesExactly(const CodecSpec& uplink, const CodecSpec& downlink) {
  const bool identity = uplink.id == CodecId::kFp32 || uplink == CodecSpec::Float(8, 23, ScaleRule::kNone);
  return identity || (uplink == downlink && uplink.scale != ScaleRule::kAbsMax && !uplink.blocks.correction);
}

// Coordinates are no matrices of the model, and every client must have the same ones to fold an epoch from.
absl::Status CheckCoordinateCodec(absl::string_view direction, const BlockOptions& blocks) {
  const char* const what = blocks.weights_only            ? "weights_only"
                           : blocks.exact_one_in > 0      ? "partial"
                           : !blocks.fp32_tensors.empty() ? "fp32_tensors"
                                                          : nullptr;
  if (what == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(direction, ".value has ", what,
                   ", which is about the model's tensors; a subspace's coordinates are coded whole"));
}

absl::Status CheckSubspace(const ExchangePlan& plan) {
  TW_RETURN_IF_ERROR(plan.subspace->Validate());
  TW_RETURN_IF_ERROR(CheckCoordinateCodec("downlink", plan.downlink.blocks));
  TW_RETURN_IF_ERROR(CheckCoordinateCodec("uplink", plan.uplink.blocks));
  if (plan.uplink_representation == Representation::kDelta) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "uplink.representation is model, but in a subspace clients upload how far their coordinates moved: use delta");
}

}  // namespace

absl::Status ExchangePlan::Validate() const {
  TW_RETURN_IF_ERROR(CheckValueCodec("downlink", downlink));
  TW_RETURN_IF_ERROR(CheckValueCodec("uplink", uplink));
  if (uplink_representation != Representation::kDelta && uplink_representation != Representation::kModel) {
    return absl::InvalidArgumentError("uplink.representation must be delta or model");
  }
  if (uplink_representation == Representation::kModel && !CarriesExactly(uplink, downlink)) {
    return absl::InvalidArgumentError(
        absl::StrCat("uplink.representation is model, but its codec ", uplink.Name(),
                     " cannot carry what the downlink's ", downlink.Name(),
                     " decodes to: a client that does not move would still move the model. Use fp32 or, unless its "
                     "scale is absmax or it has a correction, the downlink's codec for the uplink, or upload deltas"));
  }
  return subspace.has_value() ? CheckSubspace(*this) : absl::OkStatus();
}

absl::Status ExchangePlan::CheckFits(const ModelSpec& model) const {
  for (const bool down : {true, false}) {
    const absl::Status status = CheckNamedTensors(down ? downlink : uplink, model);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat(down ? "downlink" : "uplink", ".value: ", status.message()));
  }
  return absl::OkStatus();
}

std::string ExchangePlan::Name() const {
  const bool model = uplink_representation == Representation::kModel;
  if (subspace.has_value()) {
    return absl::StrCat("subspace of ", subspace->Name(), "; down as ", downlink.Name(), ", changes up as ",
                        uplink.Name());
  }
  return absl::StrCat("model down as ", downlink.Name(), ", ", model ? "model" : "delta", " up as ", uplink.Name());
}

ExchangePlan Fp32Plan() { return {CodecSpec::Fp32(), Representation::kDelta, CodecSpec::Fp32()}; }

ExchangePlan S1E3M7Plan() {
  const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  return {codec, Representation::kDelta, codec};
}

ExchangePlan OmcPlan() {
  BlockOptions blocks;
  blocks.weights_only = true;
  blocks.exact_one_in = 10;
  const CodecSpec codec = CodecSpec::FloatBlocks(3, 7, ScaleRule::kPowerOfTwo, blocks);
  return {codec, Representation::kDelta, codec};
}

ExchangePlan IgcPlan(const SubspacePlan& subspace) {
  return {CodecSpec::Fp32(), Representation::kDelta, CodecSpec::Fp32(), subspace};
}

SubspacePlan IgcStatic() {
  SubspacePlan plan;
  plan.dimension = 4096;
  return plan;
}

SubspacePlan IgcTimeVarying() {
  SubspacePlan plan = IgcStatic();
  plan.epoch_rounds = 20;
  return plan;
}

SubspacePlan IgcK() {
  SubspacePlan plan = IgcStatic();
  plan.vectors = 4;
  return plan;
}

}  // namespace thinwire
