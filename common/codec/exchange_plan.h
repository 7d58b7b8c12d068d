// The exchange plan as plain data: what each direction of a run carries. proto/thinwire/v1/plan.proto is its wire form.
#ifndef THINWIRE_COMMON_CODEC_EXCHANGE_PLAN_H_
#define THINWIRE_COMMON_CODEC_EXCHANGE_PLAN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/codec/codec_spec.h"
#include "common/codec/payload.h"
#include "common/codec/sketch_plan.h"
#include "common/codec/subspace_plan.h"
#include "common/codec/update_plan.h"

namespace thinwire {

struct ExchangePlan {
  CodecSpec downlink;                                             // of the full model, or of a subspace's coordinates
  Representation uplink_representation = Representation::kDelta;  // kDelta or kModel
  // kSparse with top_k, and only then; kRdu or kQuantized with update, and only then.
  CodecSpec uplink;
  std::optional<SubspacePlan> subspace = std::nullopt;  // absent: the model itself is trained and travels
  // Entries of an update that travel, those of the largest magnitude over the whole model, ties to the lower index; 0:
  // all of it.
  uint64_t top_k = 0;
  // Error feedback: what was not sent, times this, is added to the client's next update; 0: it is lost. 1 is the error
  // accumulation of the literature.
  double error_decay = 0;
  std::optional<SketchPlan> sketch = std::nullopt;  // what travels up is a sketch of the update
  std::optional<UpdatePlan> update = std::nullopt;  // the whole update is coded at once, under a budget of bits

  // INVALID_ARGUMENT with the reason if the combination makes no sense. docs/plan_matrix.md is generated from this.
  absl::Status Validate() const;
  // INVALID_ARGUMENT, naming direction and tensor, if the plan names a tensor that `model` does not have, or the model
  // is too small or too large for it. Whether a budget holds an update is for CheckUploadFits (common/update).
  absl::Status CheckFits(const ModelSpec& model) const;
  std::string Name() const;
};

// The presets of plan.proto.
ExchangePlan Fp32Plan();
ExchangePlan S1E3M7Plan();
// Online model compression (docs/omc.md): S1E3M7, a power-of-two scale for each row block of 4,096 values, matrices
// only, one row block in ten exact, both ways; deltas up.
ExchangePlan OmcPlan();
// Intrinsic gradient compression (docs/igc.md): FP32 coordinates down, FP32 changes of them up.
ExchangePlan IgcPlan(const SubspacePlan& subspace);
SubspacePlan IgcStatic();       // 4,096 coordinates
SubspacePlan IgcTimeVarying();  // ... new ones every 20 versions
SubspacePlan IgcK();            // 4 x 4,096
// Local top-k with error accumulation (docs/igc.md, rivals): FP32 models down, k entries of `values` up.
ExchangePlan TopKPlan(uint64_t k, const CodecSpec& values = CodecSpec::Fp32());
// FetchSGD: FP32 models down, sketches up.
ExchangePlan FetchSgdPlan(const SketchPlan& sketch);
// Updates under a budget: models down as `downlink`, no error feedback.
ExchangePlan BudgetPlan(const UpdatePlan& update, const CodecSpec& downlink = CodecSpec::Fp32());
UpdatePlan DefaultRdu();  // 0.25 bits a parameter
constexpr uint64_t kDefaultTopK = 4096;
SketchPlan DefaultSketch();  // 5 x 10,000, of which 4,096 entries are applied

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_EXCHANGE_PLAN_H_
