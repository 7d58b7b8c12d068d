#include "client/train/torch_round.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/train/subspace_round.h"
#include "client/train/torch_threads.h"
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

TorchRound::TorchRound(std::shared_ptr<torch::nn::Module> network, ModelSpec spec,
                       std::shared_ptr<PackedMatrices> packed, PackedFormat::Rounding rounding)
    : network_(std::move(network)), values_(*network_, std::move(spec), std::move(packed)), rounding_(rounding) {
  for (uint32_t i = 0; i < values_.tensors().size(); ++i) {
    const at::Tensor& tensor = values_.tensors()[i];
    if (tensor.requires_grad() && !values_.IsPacked(i)) weights_.push_back(tensor);
  }
}

absl::StatusOr<double> TorchRound::Train(const TrainRequest& request, uint64_t steps,
                                         const std::function<at::Tensor()>& loss, BlockSource& start) {
  TW_RETURN_IF_ERROR(Load(start, request.held));
  network_->train();
  TW_ASSIGN_OR_RETURN(const double mean, request.subspace != nullptr ? TrainInSubspace(request, steps, loss)
                                                                     : TrainWeights(request, steps, loss));
  const absl::Status finite = values_.CheckFinite();
  if (finite.ok()) return mean;
  Forget();
  return Diverged(request, absl::StrCat("after training, ", finite.message()));
}

absl::StatusOr<double> TorchRound::TrainWeights(const TrainRequest& request, uint64_t steps,
                                                const std::function<at::Tensor()>& loss) {
  if (PackedMatrices* const packed = values_.packed(); packed != nullptr) {
    TW_RETURN_IF_ERROR(packed->BeginRound(request.options, request.seed));
  }
  auto optimizer = optimizer_.Take(request.options, weights_);
  const double mu = request.options.proximal_mu;
  std::vector<at::Tensor> anchors;
  for (size_t i = 0; mu > 0 && i < weights_.size(); ++i) anchors.push_back(weights_[i].detach().clone());
  TW_ASSIGN_OR_RETURN(const double mean, RunSteps(request, steps, [&](uint64_t step) {
                        return Step(step, loss, mu, anchors, *optimizer);
                      }));
  optimizer_.Keep(request.options, std::move(optimizer));
  return mean;
}

absl::StatusOr<double> TorchRound::TrainInSubspace(const TrainRequest& request, uint64_t steps,
                                                   const std::function<at::Tensor()>& loss_of_batch) {
  if (values_.packed() != nullptr) {
    return absl::InvalidArgumentError(
        "packed weights cannot train in a subspace: a step moves all of them a little; use --weights full");
  }
  TW_ASSIGN_OR_RETURN(SubspaceRound round, SubspaceRound::Create(request, values_.spec(), &values_.tensors()));
  TW_RETURN_IF_ERROR(round.Expand());
  TW_ASSIGN_OR_RETURN(const double mean, RunSteps(request, steps, [&](uint64_t) -> absl::StatusOr<double> {
                        for (at::Tensor& weights : weights_) weights.mutable_grad() = at::Tensor();
                        const at::Tensor loss = loss_of_batch();
                        loss.backward();
                        TW_RETURN_IF_ERROR(round.Step());
                        return loss.item<double>();
                      }));
  request.subspace->trained = round.coordinates();
  return mean;
}

absl::Status TorchRound::Load(BlockSource& model, const HeldWeights& held) {
  AdoptTorchThreads();
  TW_RETURN_IF_ERROR(values_.Load(model, held, rounding_));
  network_->eval();
  return absl::OkStatus();
}

absl::StatusOr<double> TorchRound::RunSteps(const TrainRequest& request, uint64_t steps,
                                            const StepFunction& take_step) {
  const uint64_t stride = std::max<uint64_t>(1, steps / kProgressLines);
  double total = 0;
  for (uint64_t step = 1; step <= steps; ++step) {
    if (request.cancelled && request.cancelled()) return absl::CancelledError("training was cancelled");
    const absl::StatusOr<double> value = take_step(step);
    if (!value.ok() && !absl::IsInvalidArgument(value.status())) return value.status();
    const std::string at = absl::StrCat("step ", step, " of ", steps);
    if (!value.ok()) return Diverged(request, absl::StrCat("in ", at, ", ", value.status().message()));
    if (!std::isfinite(*value)) return Diverged(request, absl::StrCat("the loss of ", at, " is ", *value));
    total += *value;
    if (request.progress && step % stride == 0) request.progress(at);
  }
  return total / static_cast<double>(steps);
}

absl::StatusOr<double> TorchRound::Step(uint64_t step, const std::function<at::Tensor()>& loss_of_batch,
                                        double proximal_mu, const std::vector<at::Tensor>& anchors,
                                        torch::optim::Optimizer& optimizer) {
  PackedMatrices* const packed = values_.packed();
  if (packed != nullptr) packed->BeginStep(step);
  optimizer.zero_grad();
  const at::Tensor loss = loss_of_batch();
  loss.backward();
  if (packed != nullptr) TW_RETURN_IF_ERROR(packed->EndStep());
  Pull(anchors, proximal_mu);
  optimizer.step();
  return loss.item<double>();
}

// FedProx (arXiv 1812.06127): the gradient of mu/2 * ||w - anchor||^2.
void TorchRound::Pull(const std::vector<at::Tensor>& anchors, double mu) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < anchors.size(); ++i) weights_[i].mutable_grad().add_(weights_[i] - anchors[i], mu);
}

}  // namespace thinwire
