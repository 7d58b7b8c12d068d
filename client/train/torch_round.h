// A round of training of a LibTorch module, whatever it learns. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_ROUND_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_ROUND_H_

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "client/train/module_values.h"
#include "client/train/packed_matrices.h"
#include "client/train/torch_optimizer.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Owned by one trainer; not thread-safe. Its functions throw what LibTorch throws: call them under CatchTorch.
class TorchRound {
 public:
  // `spec` is the network's, which is on its device already. `packed` holds its matrices; nullptr if they are plain.
  TorchRound(std::shared_ptr<torch::nn::Module> network, ModelSpec spec,
             std::shared_ptr<PackedMatrices> packed = nullptr,
             PackedFormat::Rounding rounding = PackedFormat::Rounding::kStochastic);

  // `steps` steps down the gradient of what `loss` returns for the next batch, a scalar, from the weights in `start` to
  // those then in values(), or with request.subspace along one of its vectors. Returns the mean loss. Progress,
  // cancellation, FedProx and errors as trainer.h and torch_trainer.h say; on error values() are unspecified and the
  // optimiser's moments are gone.
  absl::StatusOr<double> Train(const TrainRequest& request, uint64_t steps, const std::function<at::Tensor()>& loss,
                               BlockSource& start);
  // Puts `model` into the network, for evaluation; packed matrices as `held` says.
  absl::Status Load(BlockSource& model, const HeldWeights& held);
  ModuleValues& values() { return values_; }
  // Drops moments that the optimiser kept.
  void Forget() { optimizer_ = RoundOptimizer(); }

 private:
  using StepFunction = std::function<absl::StatusOr<double>(uint64_t step)>;
  absl::StatusOr<double> TrainWeights(const TrainRequest& request, uint64_t steps,
                                      const std::function<at::Tensor()>& loss);
  absl::StatusOr<double> TrainInSubspace(const TrainRequest& request, uint64_t steps,
                                         const std::function<at::Tensor()>& loss);
  absl::StatusOr<double> RunSteps(const TrainRequest& request, uint64_t steps, const StepFunction& take_step);
  absl::StatusOr<double> Step(uint64_t step, const std::function<at::Tensor()>& loss, double proximal_mu,
                              const std::vector<at::Tensor>& anchors, torch::optim::Optimizer& optimizer);
  void Pull(const std::vector<at::Tensor>& anchors, double mu);

  const std::shared_ptr<torch::nn::Module> network_;
  ModuleValues values_;
  const PackedFormat::Rounding rounding_;
  std::vector<at::Tensor> weights_;  // the trainable ones that are not packed, shared with network_
  RoundOptimizer optimizer_;
};

// Steps of a round over a data set that takes `batches_per_epoch` steps.
inline uint64_t StepsOf(const TrainingOptions& options, uint64_t batches_per_epoch) {
  return options.local_steps > 0 ? options.local_steps : batches_per_epoch * options.local_epochs;
}

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_ROUND_H_
