#include "client/train/torch_round.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/train/torch_state.h"
#include "client/train/torch_threads.h"
#include "client/train/training_check.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kProgressLines = 20;  // per call of Train, about

absl::Status Diverged(const TrainRequest& request, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("training diverged in round ", request.round, ": ", what,
                                                 "; lower the learning rate (now ", request.options.learning_rate,
                                                 ")"));
}

}  // namespace

TorchRound::TorchRound(std::shared_ptr<torch::nn::Module> network, ModelSpec spec)
    : network_(std::move(network)), spec_(std::move(spec)) {
  for (const at::Tensor& tensor : network_->parameters()) {
    if (tensor.requires_grad()) weights_.push_back(tensor);
  }
}

absl::StatusOr<double> TorchRound::Train(const TrainRequest& request, uint64_t steps,
                                         const std::function<at::Tensor()>& loss, ModelState* state) {
  AdoptTorchThreads();
  CopyIn(*state, *network_);
  network_->train();
  auto optimizer = optimizer_.Take(request.options, weights_);
  TW_ASSIGN_OR_RETURN(const double mean, RunSteps(request, steps, loss, *state, *optimizer));
  CopyOut(*network_, state);
  const absl::Status finite = CheckFinite(*state);
  if (!finite.ok()) return Diverged(request, absl::StrCat("after training, ", finite.message()));
  optimizer_.Keep(request.options, std::move(optimizer));
  return mean;
}

void TorchRound::Load(const ModelState& state) {
  AdoptTorchThreads();
  CopyIn(state, *network_);
  network_->eval();
}

absl::StatusOr<double> TorchRound::RunSteps(const TrainRequest& request, uint64_t steps,
                                            const std::function<at::Tensor()>& loss_of_batch, const ModelState& start,
                                            torch::optim::Optimizer& optimizer) {
  const double mu = request.options.proximal_mu;
  const std::vector<at::Tensor> anchors = mu > 0 ? Anchors(start) : std::vector<at::Tensor>();
  const uint64_t stride = std::max<uint64_t>(1, steps / kProgressLines);
  double total = 0;
  for (uint64_t step = 1; step <= steps; ++step) {
    if (request.cancelled && request.cancelled()) return absl::CancelledError("training was cancelled");
    optimizer.zero_grad();
    const at::Tensor loss = loss_of_batch();
    loss.backward();
    Pull(anchors, mu);
    optimizer.step();
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      return Diverged(request, absl::StrCat("the loss of step ", step, " of ", steps, " is ", value));
    }
    total += value;
    if (request.progress && step % stride == 0) request.progress(absl::StrCat("step ", step, " of ", steps));
  }
  return total / static_cast<double>(steps);
}

// FedProx (arXiv 1812.06127): the gradient of mu/2 * ||w - anchor||^2.
void TorchRound::Pull(const std::vector<at::Tensor>& anchors, double mu) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < anchors.size(); ++i) weights_[i].mutable_grad().add_(weights_[i] - anchors[i], mu);
}

// Views of the trainable tensors of `start`, on the CPU without a copy.
std::vector<at::Tensor> TorchRound::Anchors(const ModelState& start) const {
  std::vector<at::Tensor> anchors;
  for (size_t i = 0; i < start.floats.size(); ++i) {
    if (spec_.tensors()[i].role != TensorRole::kTrainable) continue;
    const at::Tensor& weight = weights_[anchors.size()];
    anchors.push_back(ViewOf(start.floats[i], weight).to(weight.device()));
  }
  return anchors;
}

}  // namespace thinwire
