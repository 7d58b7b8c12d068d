// What all trainers of LibTorch modules have in common: building the module, whole models and models block by block
// through one round, fresh weights. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_MODULE_TRAINER_H_
#define THINWIRE_CLIENT_TRAIN_MODULE_TRAINER_H_

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/session/trainer.h"
#include "client/train/initial_values.h"
#include "client/train/matrix_keeper.h"
#include "client/train/packed_matrices.h"
#include "client/train/torch_call.h"
#include "client/train/torch_round.h"
#include "client/train/torch_state.h"
#include "client/train/torch_threads.h"
#include "client/train/trainer_options.h"
#include "client/train/training_check.h"
#include "common/base/status_macros.h"

namespace thinwire {

// A module as options ask for it, on its device.
template <typename Network>
struct BuiltModule {
  std::string name;
  at::Device device;
  std::shared_ptr<Network> network;
  ModelSpec spec;
  std::shared_ptr<PackedMatrices> packed;  // its matrices, or nullptr if they are plain
  PackedFormat::Rounding rounding;
};

// `make` is given the keeper of the matrices and returns StatusOr<std::shared_ptr<Network>>. INVALID_ARGUMENT for
// options that make no sense, FAILED_PRECONDITION if this LibTorch lacks the device. To be called once, as the first
// call that needs LibTorch's threads.
template <typename Network, typename Make>
absl::StatusOr<BuiltModule<Network>> BuildModule(const TrainerOptions& options, const Make& make) {
  TW_RETURN_IF_ERROR(ConfigureTorchThreads(options.threads));
  if (options.evaluation_batch == 0) return absl::InvalidArgumentError("evaluation_batch is 0, it must be at least 1");
  TW_ASSIGN_OR_RETURN(const at::Device device, ParseDevice(options.device));
  TW_RETURN_IF_ERROR(CheckPackedDevice(options.weights.packed, device));
  return CatchTorch(absl::StrCat("building model '", options.model, "'"),
                    [&]() -> absl::StatusOr<BuiltModule<Network>> {
                      const auto packed = options.weights.packed ? std::make_shared<PackedMatrices>() : nullptr;
                      TW_ASSIGN_OR_RETURN(std::shared_ptr<Network> network, make(KeeperOr(packed)));
                      TW_ASSIGN_OR_RETURN(ModelSpec spec, SpecOf(*network));
                      if (packed == nullptr) network->to(device);
                      return BuiltModule<Network>{options.model,   device, std::move(network),
                                                  std::move(spec), packed, options.weights.rounding};
                    });
}

// `Interface` is derived from Trainer. A trainer derived from this one says how it trains and evaluates what comes
// block by block.
template <typename Interface, typename Network>
class ModuleTrainer : public Interface, public StreamingTrainer {
 public:
  const ModelSpec& model() const final { return built_.spec; }
  StreamingTrainer* streaming() final { return built_.packed != nullptr ? this : nullptr; }
  StreamingTrainer* subspace() final { return built_.packed != nullptr ? nullptr : this; }
  BlockSource& trained() final { return round_.values(); }

  BlockSource& Fresh(uint64_t seed) final { return fresh_.emplace(seed, initial_.bounds(), &initial_); }
  absl::StatusOr<ModelState> Initialize(uint64_t seed) final {
    return CatchTorch("making weights", [&]() -> absl::StatusOr<ModelState> {
      ModelState state(built_.spec);
      TW_RETURN_IF_ERROR(ReadModel(Fresh(seed), &state));
      return state;
    });
  }

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, BlockSource& start) final {
    TW_RETURN_IF_ERROR(CheckTrainingOptions(request.options));
    TW_RETURN_IF_ERROR(CheckCanTrain(request.options));
    return CatchTorch("training", [&] { return TrainRound(request, start); });
  }
  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) final {
    TW_RETURN_IF_ERROR(CheckSameModel(state->spec, built_.spec, built_.name));
    ModelStateSource start(*state);
    TW_ASSIGN_OR_RETURN(const TrainResult result, Train(request, start));
    TW_RETURN_IF_ERROR(ReadModel(round_.values(), state));
    return result;
  }

  absl::StatusOr<EvaluateResult> Evaluate(BlockSource& model, const HeldWeights& held) final {
    TW_RETURN_IF_ERROR(CheckCanEvaluate());
    return CatchTorch("evaluating", [&]() -> absl::StatusOr<EvaluateResult> {
      at::NoGradGuard no_grad;
      TW_RETURN_IF_ERROR(round_.Load(model, held));
      return EvaluateLoaded();
    });
  }
  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) final {
    TW_RETURN_IF_ERROR(CheckSameModel(state.spec, built_.spec, built_.name));
    ModelStateSource source(state);
    return Evaluate(source, HeldWeights());
  }

 protected:
  explicit ModuleTrainer(BuiltModule<Network> built)
      : built_(std::move(built)),
        initial_(*built_.network, built_.spec),
        round_(built_.network, built_.spec, built_.packed, built_.rounding) {}

  // FAILED_PRECONDITION without the data for it.
  virtual absl::Status CheckCanTrain(const TrainingOptions& options) const = 0;
  virtual absl::Status CheckCanEvaluate() const = 0;
  // Under CatchTorch. EvaluateLoaded also with the weights in the network and without gradients.
  virtual absl::StatusOr<TrainResult> TrainRound(const TrainRequest& request, BlockSource& start) = 0;
  virtual absl::StatusOr<EvaluateResult> EvaluateLoaded() = 0;

  const std::string& name() const { return built_.name; }
  Network& network() { return *built_.network; }
  const Network& network() const { return *built_.network; }
  const at::Device& device() const { return built_.device; }
  TorchRound& round() { return round_; }

 private:
  const BuiltModule<Network> built_;
  InitialValues initial_;
  std::optional<FreshWeights> fresh_;
  TorchRound round_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_MODULE_TRAINER_H_
