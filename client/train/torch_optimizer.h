// Which optimiser a round uses, and what it remembers between rounds. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_OPTIMIZER_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_OPTIMIZER_H_

#include <torch/optim/optimizer.h>

#include <memory>
#include <vector>

#include "client/session/trainer.h"

namespace thinwire {

// Owned by one trainer; not thread-safe.
class RoundOptimizer {
 public:
  // The optimiser for one round. With `keep_state` and Adam it is the one that Keep was last given, under the new
  // options; else a fresh one.
  std::unique_ptr<torch::optim::Optimizer> Take(const TrainingOptions& options, const std::vector<at::Tensor>& weights);
  // After a round that went well. Without this call the moments are gone.
  void Keep(const TrainingOptions& options, std::unique_ptr<torch::optim::Optimizer> used);

 private:
  std::unique_ptr<torch::optim::Optimizer> kept_;
  bool kept_decoupled_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_OPTIMIZER_H_
