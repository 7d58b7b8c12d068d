#include "client/train/echo_trainer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/base/target_clones.h"

namespace thinwire {
namespace {

constexpr uint64_t kTensors = 10;
constexpr size_t kPollValues = size_t{1} << 20;  // values between two looks at `cancelled`
constexpr float kInitialScale = 0.05f;

// A 32-bit finaliser (MurmurHash3's fmix32) over the element's index: 5 operations a value, against some 30 of Philox.
// Noise to be sent needs no more.
inline uint32_t Mix(uint32_t value) {
  value ^= value >> 16;
  value *= 0x85ebca6bu;
  value ^= value >> 13;
  value *= 0xc2b2ae35u;
  return value ^ (value >> 16);
}

// One value: unit * (a number uniform in [-2^31, 2^31)), by key and index.
inline float Noise(uint64_t key, uint32_t index, float unit) {
  const uint32_t bits = Mix(Mix(index ^ static_cast<uint32_t>(key)) + static_cast<uint32_t>(key >> 32));
  return unit * static_cast<float>(static_cast<int32_t>(bits));
}

// Adds scale * u, u uniform in [-1, 1).
TW_TARGET_CLONES
void AddNoise(uint64_t key, uint32_t first, float scale, absl::Span<float> values) {
  const float unit = scale * 0x1p-31f;
  float* const out = values.data();
  const auto count = static_cast<uint32_t>(values.size());
  for (uint32_t i = 0; i < count; ++i) out[i] += Noise(key, first + i, unit);
}

absl::StatusOr<ModelSpec> EqualTensors(uint64_t parameters) {
  const uint64_t tensors = std::min(kTensors, parameters);
  std::vector<TensorSpec> specs(tensors);
  for (uint64_t i = 0; i < tensors; ++i) {
    specs[i].name = absl::StrCat("echo.", i);
    specs[i].shape = {static_cast<int64_t>(parameters / tensors + (i < parameters % tensors ? 1 : 0))};
  }
  return ModelSpec::Create(std::move(specs));
}

class EchoTrainer : public Trainer, public StreamingTrainer {
 public:
  EchoTrainer(ModelSpec own, ModelSpec accepted, uint64_t examples)
      : own_(std::move(own)), accepted_(std::move(accepted)), examples_(examples) {}

  const ModelSpec& model() const override { return accepted_; }
  uint64_t examples() const override { return examples_; }

  absl::StatusOr<ModelState> Initialize(uint64_t seed) override {
    ModelState state(own_);
    for (size_t i = 0; i < state.floats.size(); ++i) {
      TW_RETURN_IF_ERROR(Perturb(DeriveKey({seed, KeyWord("echo"), i}), kInitialScale, nullptr, &state.floats[i]));
    }
    return state;
  }

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) override {
    const float rate = static_cast<float>(request.options.learning_rate);
    if (!std::isfinite(rate)) {
      return absl::InvalidArgumentError(absl::StrCat("learning rate ", request.options.learning_rate,
                                                     " is not a finite float32; give one such as 0.01"));
    }
    const std::vector<TensorSpec>& tensors = state->spec.tensors();
    for (size_t i = 0; rate != 0 && i < tensors.size(); ++i) {
      if (tensors[i].role != TensorRole::kTrainable) continue;
      TW_RETURN_IF_ERROR(Perturb(DeriveKey({request.seed, i}), rate, &request, &state->floats[i]));
      if (request.progress) request.progress(absl::StrCat("tensor ", i + 1, " of ", tensors.size()));
    }
    return TrainResult{examples_, 0};
  }

  // In a subspace the noise is that of the one tensor of coordinates; buffers stay as they are.
  StreamingTrainer* subspace() override { return this; }
  absl::StatusOr<TrainResult> Train(const TrainRequest& request, BlockSource& start) override {
    if (request.subspace == nullptr) return absl::InternalError("the echo trainer holds its model as a whole");
    start_ = &start;
    SubspaceSteps& steps = *request.subspace;
    steps.trained = (*steps.coordinates)[steps.own];
    const float rate = static_cast<float>(request.options.learning_rate);
    if (rate != 0) TW_RETURN_IF_ERROR(Perturb(DeriveKey({request.seed, 0}), rate, &request, &steps.trained));
    return TrainResult{examples_, 0};
  }
  BlockSource& trained() override { return *start_; }
  BlockSource& Fresh(uint64_t seed) override {
    fresh_ = Initialize(seed).value_or(ModelState(own_));
    return fresh_source_;
  }
  absl::StatusOr<EvaluateResult> Evaluate(BlockSource& model, const HeldWeights&) override {
    ModelState state(own_);
    TW_RETURN_IF_ERROR(ReadModel(model, &state));
    return Evaluate(state);
  }

  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) override {
    double squares = 0;
    for (size_t i = 0; i < state.floats.size(); ++i) {
      if (state.spec.tensors()[i].role != TensorRole::kTrainable) continue;
      for (const float value : state.floats[i]) squares += double{value} * value;
    }
    const uint64_t count = std::max<uint64_t>(1, state.spec.count(TensorRole::kTrainable));
    return EvaluateResult{examples_, std::sqrt(squares / static_cast<double>(count)), 0};
  }

 private:
  static absl::Status Perturb(uint64_t key, float scale, const TrainRequest* request, std::vector<float>* values) {
    for (size_t first = 0; first < values->size(); first += kPollValues) {
      if (request != nullptr && request->cancelled && request->cancelled()) {
        return absl::CancelledError("training was cancelled");
      }
      // The key takes the part of the index above 32 bits.
      AddNoise(key + (uint64_t{first} >> 32 << 32), static_cast<uint32_t>(first), scale,
               absl::MakeSpan(*values).subspan(first, kPollValues));
    }
    return absl::OkStatus();
  }

  const ModelSpec own_;
  const ModelSpec accepted_;
  const uint64_t examples_;
  BlockSource* start_ = nullptr;  // of the last round in a subspace
  ModelState fresh_;
  ModelStateSource fresh_source_{fresh_};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> MakeEchoTrainer(const EchoOptions& options) {
  if (options.examples == 0) return absl::InvalidArgumentError("an echo trainer needs at least 1 example, got 0");
  if (options.spec.has_value()) {
    if (options.spec->total_count() == 0) return absl::InvalidArgumentError("the echo trainer's model has no values");
    return std::make_unique<EchoTrainer>(*options.spec, *options.spec, options.examples);
  }
  if (options.parameters == 0 || options.parameters > ModelSpec::kMaxValues) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.parameters, " echo parameters; 1 to ", ModelSpec::kMaxValues, " are allowed"));
  }
  TW_ASSIGN_OR_RETURN(ModelSpec own, EqualTensors(options.parameters));
  return std::make_unique<EchoTrainer>(std::move(own), ModelSpec(), options.examples);
}

}  // namespace thinwire
