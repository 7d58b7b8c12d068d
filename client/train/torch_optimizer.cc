#include "client/train/torch_optimizer.h"

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <utility>

namespace thinwire {
namespace {

using torch::optim::Optimizer;

// Adam's and AdamW's options have the same fields in different types.
template <typename Options>
std::unique_ptr<torch::optim::OptimizerOptions> AdamOptionsFrom(const TrainingOptions& options) {
  auto adam = std::make_unique<Options>(options.learning_rate);
  adam->betas(std::make_tuple(options.beta1, options.beta2)).eps(options.epsilon).weight_decay(options.weight_decay);
  return adam;
}

std::unique_ptr<torch::optim::OptimizerOptions> OptionsFrom(const TrainingOptions& options) {
  if (options.optimizer == TrainingOptions::Optimizer::kAdam) {
    return options.decoupled ? AdamOptionsFrom<torch::optim::AdamWOptions>(options)
                             : AdamOptionsFrom<torch::optim::AdamOptions>(options);
  }
  auto sgd = std::make_unique<torch::optim::SGDOptions>(options.learning_rate);
  sgd->momentum(options.momentum).weight_decay(options.weight_decay);
  return sgd;
}

std::unique_ptr<Optimizer> MakeOptimizer(const TrainingOptions& options, const std::vector<at::Tensor>& weights) {
  if (options.optimizer == TrainingOptions::Optimizer::kSgd) {
    return std::make_unique<torch::optim::SGD>(weights, torch::optim::SGDOptions(options.learning_rate));
  }
  if (options.decoupled) return std::make_unique<torch::optim::AdamW>(weights);
  return std::make_unique<torch::optim::Adam>(weights);
}

bool KeepsState(const TrainingOptions& options) {
  return options.keep_state && options.optimizer == TrainingOptions::Optimizer::kAdam;
}

}  // namespace

std::unique_ptr<Optimizer> RoundOptimizer::Take(const TrainingOptions& options,
                                                const std::vector<at::Tensor>& weights) {
  std::unique_ptr<Optimizer> kept = std::move(kept_);
  const bool usable = kept != nullptr && KeepsState(options) && kept_decoupled_ == options.decoupled;
  std::unique_ptr<Optimizer> optimizer = usable ? std::move(kept) : MakeOptimizer(options, weights);
  for (auto& group : optimizer->param_groups()) group.set_options(OptionsFrom(options));
  return optimizer;
}

void RoundOptimizer::Keep(const TrainingOptions& options, std::unique_ptr<Optimizer> used) {
  if (!KeepsState(options)) return;
  kept_ = std::move(used);
  kept_decoupled_ = options.decoupled;
}

}  // namespace thinwire
