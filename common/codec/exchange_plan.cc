#include "common/codec/exchange_plan.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/frame.h"
#include "common/codec/update_frame.h"

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

absl::Status CheckDownlink(const CodecSpec& codec) {
  if (!IsUpdateCodec(codec.id)) return CheckValueCodec("downlink", codec);
  return absl::InvalidArgumentError(
      absl::StrCat("downlink.value is ", codec.Name(), ", which codes updates; use fp32, float or float blocks"));
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
                   ", which is about the model's tensors; coordinates of a subspace and sketches are coded whole"));
}

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Status CheckTopK(const ExchangePlan& plan) {
  if (plan.top_k > ModelSpec::kMaxValues) {
    return Refuse(absl::StrCat("uplink.top_k.k is ", plan.top_k, ", must be 1 to ", ModelSpec::kMaxValues));
  }
  if ((plan.top_k > 0) != (plan.uplink.id == CodecId::kSparse)) {
    return Refuse("positions travel with the values of a top-k update, and with no other");
  }
  if (plan.top_k > 0 && plan.uplink_representation != Representation::kDelta) {
    return Refuse("uplink.top_k is of an update, but uplink.representation is model: use delta");
  }
  if (!(plan.error_decay >= 0 && plan.error_decay <= 1)) {
    return Refuse(absl::StrCat("uplink.error_feedback.decay is ", plan.error_decay, ", must be above 0 and at most 1"));
  }
  if (plan.error_decay > 0 && plan.top_k == 0 && !plan.update.has_value()) {
    return Refuse(
        "uplink.error_feedback is given, but every entry travels; it is for updates that leave entries out: set "
        "uplink.top_k or uplink.update");
  }
  return absl::OkStatus();
}

absl::Status CheckUpdate(const ExchangePlan& plan) {
  if (plan.update.has_value() != IsUpdateCodec(plan.uplink.id)) {
    return Refuse("the codecs rdu and quantized are of uplink.update, and it has no other");
  }
  if (!plan.update.has_value()) return absl::OkStatus();
  TW_RETURN_IF_ERROR(plan.update->Validate());
  constexpr uint64_t kLeastBits = 8 * (kManifestHeaderSize + kManifestEntrySize + kFrameHeaderSize);
  if (plan.update->bits != 0 && plan.update->bits < kLeastBits) {
    return Refuse(absl::StrCat("uplink.update.bits is ", plan.update->bits, ", but manifest and header alone take ",
                               kLeastBits, ", and more with buffers"));
  }
  if (plan.update->codec() != plan.uplink.id) return Refuse("uplink.update names another codec than the uplink's");
  if (plan.top_k > 0 || plan.sketch.has_value()) {
    return Refuse(absl::StrCat("uplink.update and uplink.", plan.top_k > 0 ? "top_k" : "sketch",
                               ": both say what of an update travels; choose one"));
  }
  if (plan.uplink_representation != Representation::kDelta) {
    return Refuse("uplink.update is of an update, but uplink.representation is model: use delta");
  }
  if (plan.error_decay > 0 && !plan.update->suits_error_feedback()) {
    return Refuse(absl::StrCat("uplink.error_feedback with ", plan.update->MethodName(),
                               ", which can be further from an update than nothing is, so that errors would grow; use "
                               "M = 0, eden biased, rdu or another, or leave error_feedback out"));
  }
  return absl::OkStatus();
}

absl::Status CheckSketch(const ExchangePlan& plan) {
  TW_RETURN_IF_ERROR(plan.sketch->Validate());
  if (plan.top_k > 0) {
    return Refuse("uplink.sketch and uplink.top_k: a sketch is of the whole update; the server takes the top k of it");
  }
  if (plan.uplink_representation != Representation::kDelta) {
    return Refuse("uplink.sketch is of an update, but uplink.representation is model: use delta");
  }
  return CheckCoordinateCodec("uplink", plan.uplink.blocks);
}

absl::Status CheckSubspace(const ExchangePlan& plan) {
  TW_RETURN_IF_ERROR(plan.subspace->Validate());
  if (plan.error_decay > 0 && plan.subspace->vectors > 1) {
    return Refuse(absl::StrCat("uplink.error_feedback with subspace.vectors ", plan.subspace->vectors,
                               ": a client trains in another vector each round, to which what it did not send of the "
                               "one before means nothing; use one vector, or leave error_feedback out"));
  }
  if (plan.top_k > 0 || plan.sketch.has_value()) {
    const char* const what = plan.top_k > 0 ? "top_k" : "sketch";
    return Refuse(absl::StrCat("uplink.", what,
                               " is of the whole model's update, of which nothing travels in a subspace; choose one"));
  }
  TW_RETURN_IF_ERROR(CheckCoordinateCodec("downlink", plan.downlink.blocks));
  TW_RETURN_IF_ERROR(CheckCoordinateCodec("uplink", plan.uplink.blocks));
  if (plan.uplink_representation == Representation::kDelta) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "uplink.representation is model, but in a subspace clients upload how far their coordinates moved: use delta");
}

}  // namespace

absl::Status ExchangePlan::Validate() const {
  TW_RETURN_IF_ERROR(CheckDownlink(downlink));
  TW_RETURN_IF_ERROR(CheckValueCodec("uplink", uplink));
  if (uplink_representation != Representation::kDelta && uplink_representation != Representation::kModel) {
    return absl::InvalidArgumentError("uplink.representation must be delta or model");
  }
  TW_RETURN_IF_ERROR(CheckUpdate(*this));
  if (uplink_representation == Representation::kModel && !CarriesExactly(uplink, downlink)) {
    return absl::InvalidArgumentError(
        absl::StrCat("uplink.representation is model, but its codec ", uplink.Name(),
                     " cannot carry what the downlink's ", downlink.Name(),
                     " decodes to: a client that does not move would still move the model. Use fp32 or, unless its "
                     "scale is absmax or it has a correction, the downlink's codec for the uplink, or upload deltas"));
  }
  TW_RETURN_IF_ERROR(CheckTopK(*this));
  if (sketch.has_value()) TW_RETURN_IF_ERROR(CheckSketch(*this));
  return subspace.has_value() ? CheckSubspace(*this) : absl::OkStatus();
}

absl::Status ExchangePlan::CheckFits(const ModelSpec& model) const {
  for (const bool down : {true, false}) {
    const absl::Status status = CheckNamedTensors(down ? downlink : uplink, model);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat(down ? "downlink" : "uplink", ".value: ", status.message()));
  }
  const uint64_t size = model.count(TensorRole::kTrainable);
  if (update.has_value() && (size == 0 || size > kMaxUpdateFrameValues)) {
    return absl::InvalidArgumentError(absl::StrCat("uplink.update is of the trainable values, of which the model has ",
                                                   size, ", must be 1 to ", kMaxUpdateFrameValues));
  }
  const uint64_t k = sketch.has_value() ? sketch->k : top_k;
  if (k <= size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(sketch.has_value() ? "uplink.sketch.k" : "uplink.top_k.k", " is ", k,
                                                 ", but the model has only ", size,
                                                 " trainable values; choose far fewer than that, or fp32"));
}

std::string ExchangePlan::Name() const {
  const bool model = uplink_representation == Representation::kModel;
  const std::string feedback =
      error_decay > 0 ? absl::StrCat("error feedback with decay ", error_decay) : "no error feedback";
  if (subspace.has_value()) {
    return absl::StrCat("subspace of ", subspace->Name(), "; down as ", downlink.Name(), ", changes up as ",
                        update.has_value() ? update->Name() : uplink.Name(), error_decay > 0 ? ", " + feedback : "");
  }
  const std::string down = absl::StrCat("model down as ", downlink.Name());
  if (sketch.has_value()) return absl::StrCat(down, ", ", sketch->Name(), " up as ", uplink.Name());
  if (update.has_value()) return absl::StrCat(down, ", delta up as ", update->Name(), ", ", feedback);
  if (top_k > 0) {
    return absl::StrCat(down, ", top ", top_k, " of the delta up as ", uplink.Name(), ", ", feedback);
  }
  return absl::StrCat(down, ", ", model ? "model" : "delta", " up as ", uplink.Name());
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

ExchangePlan TopKPlan(uint64_t k, const CodecSpec& values) {
  ExchangePlan plan{CodecSpec::Fp32(), Representation::kDelta, CodecSpec::Sparse(values)};
  plan.top_k = k;
  plan.error_decay = 1;
  return plan;
}

ExchangePlan FetchSgdPlan(const SketchPlan& sketch) {
  ExchangePlan plan = Fp32Plan();
  plan.sketch = sketch;
  return plan;
}

ExchangePlan BudgetPlan(const UpdatePlan& update, const CodecSpec& downlink) {
  ExchangePlan plan{downlink, Representation::kDelta, CodecSpec::Update(update.codec())};
  plan.update = update;
  return plan;
}

UpdatePlan DefaultRdu() {
  UpdatePlan plan;
  plan.bits_per_parameter = 0.25;
  return plan;
}

SketchPlan DefaultSketch() {
  SketchPlan sketch;
  sketch.rows = 5;
  sketch.columns = 10'000;
  sketch.k = kDefaultTopK;
  return sketch;
}

SubspacePlan IgcK() {
  SubspacePlan plan = IgcStatic();
  plan.vectors = 4;
  return plan;
}

}  // namespace thinwire
