#include "client/train/subspace_round.h"

#include <utility>

#include "absl/types/span.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

at::Tensor View(absl::Span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())},
                       at::TensorOptions(at::kFloat));
}

at::Tensor Part(const at::Tensor& tensor, const TrainableVector::Piece& piece) {
  return tensor.view(-1).narrow(0, static_cast<int64_t>(piece.first), static_cast<int64_t>(piece.count));
}

}  // namespace

absl::StatusOr<SubspaceRound> SubspaceRound::Create(const TrainRequest& request, const ModelSpec& spec,
                                                    const std::vector<at::Tensor>* tensors) {
  if (request.options.optimizer != TrainingOptions::Optimizer::kSgd) {
    return absl::InvalidArgumentError(
        "training.adam does not go with a subspace: its second moments are of weights, which are not optimised here; "
        "use training { sgd {} }");
  }
  const Fastfood& own = request.subspace->matrices->at(request.subspace->own);
  TW_ASSIGN_OR_RETURN(FastfoodWorkspace workspace, FastfoodWorkspace::Create(own));
  return SubspaceRound(request, spec, tensors, std::move(workspace));
}

SubspaceRound::SubspaceRound(const TrainRequest& request, const ModelSpec& spec, const std::vector<at::Tensor>* tensors,
                             FastfoodWorkspace workspace)
    : options_(request.options),
      matrices_(*request.subspace->matrices),
      start_(*request.subspace->coordinates),
      own_(matrices_[request.subspace->own]),
      own_start_(start_[request.subspace->own]),
      order_(spec),
      tensors_(tensors),
      workspace_(std::move(workspace)),
      sigma_(own_start_),
      momentum_(sigma_.size()),
      slope_(sigma_.size()) {}

absl::Status SubspaceRound::Expand() {
  for (size_t k = 0; k < matrices_.size(); ++k) TW_RETURN_IF_ERROR(Add(matrices_[k], start_[k]));
  return absl::OkStatus();
}

absl::Status SubspaceRound::Add(const Fastfood& matrix, const std::vector<float>& coordinates) {
  at::NoGradGuard no_grad;
  return matrix.Apply(coordinates, &workspace_, [&](uint64_t first, absl::Span<const float> values) {
    return order_.ForEachPiece(first, values.size(), [&](const TrainableVector::Piece& piece) {
      at::Tensor weights = Part((*tensors_)[piece.tensor], piece);
      weights.add_(View(values.subspan(piece.offset, piece.count)).to(weights.device()));
      return absl::OkStatus();
    });
  });
}

// slope_ = A^T (g + decay theta).
absl::Status SubspaceRound::Project() {
  at::NoGradGuard no_grad;
  return own_.ApplyTranspose(
      [&](uint64_t first, absl::Span<float> out) {
        return order_.ForEachPiece(first, out.size(), [&](const TrainableVector::Piece& piece) {
          const at::Tensor& weights = (*tensors_)[piece.tensor];
          at::Tensor gradient = View(out.subspan(piece.offset, piece.count));
          if (weights.grad().defined()) {
            gradient.copy_(Part(weights.grad().contiguous(), piece));
          } else {  // the loss does not depend on it
            gradient.zero_();
          }
          if (options_.weight_decay != 0) gradient.add_(Part(weights, piece).cpu(), options_.weight_decay);
          return absl::OkStatus();
        });
      },
      &workspace_, absl::MakeSpan(slope_));
}

absl::Status SubspaceRound::Step() {
  TW_RETURN_IF_ERROR(Project());
  const auto rate = static_cast<float>(own_.SubspaceRate(options_.learning_rate));
  const auto momentum = static_cast<float>(options_.momentum);
  const auto pull = static_cast<float>(own_.SubspaceRate(1) == 0 ? 0 : options_.proximal_mu / own_.SubspaceRate(1));
  std::vector<float>& change = slope_;
  for (size_t i = 0; i < sigma_.size(); ++i) {
    momentum_[i] = momentum * momentum_[i] + slope_[i] + pull * (sigma_[i] - own_start_[i]);
    const float before = sigma_[i];
    sigma_[i] -= rate * momentum_[i];
    change[i] = sigma_[i] - before;
  }
  return Add(own_, change);
}

}  // namespace thinwire
