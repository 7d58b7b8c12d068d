// From a mean update to new weights: FedAvg (McMahan et al. 2017), FedAvgM (Hsu et al. 2019), FedAdam (Reddi et al.
// 2021, "Adaptive Federated Optimization", algorithm 2, without bias correction). FedProx acts in the client.
#ifndef THINWIRE_SERVER_AGGREGATE_STRATEGY_H_
#define THINWIRE_SERVER_AGGREGATE_STRATEGY_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/codec/sketch_plan.h"

namespace thinwire {

struct StrategyOptions {
  enum class Kind { kFedAvg, kFedAvgM, kFedAdam } kind = Kind::kFedAvg;
  double learning_rate = 1;
  double momentum = 0.9;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-3;
  // FetchSGD (fetch_sgd.h), in place of what `kind` says; the aggregate is then of sketches.
  std::optional<SketchPlan> sketch = std::nullopt;
  uint64_t run_seed = 0;  // with a sketch
  absl::Status Validate() const;
  // FP32 values of optimiser state per trainable value: 0, 1 (momentum) or 2 (moments).
  int state_values() const { return kind == Kind::kFedAvg ? 0 : kind == Kind::kFedAvgM ? 1 : 2; }
  bool has_state() const { return sketch.has_value() || state_values() > 0; }
};

// Applies one block of a trainable tensor in place: `weights` and the state's blocks advance by `mean`. A zero mean
// with zero state leaves the bits of the weights as they are, -0 included. Pure.
void ApplyStrategy(const StrategyOptions& options, absl::Span<const float> mean, absl::Span<float> weights,
                   absl::Span<float> state1, absl::Span<float> state2);
// Float buffers, whatever the strategy: weights += mean, bits untouched where the mean is 0.
void ApplyMean(absl::Span<const float> mean, absl::Span<float> weights);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_STRATEGY_H_
