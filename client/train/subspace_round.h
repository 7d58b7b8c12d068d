// Steps of training along one vector of a subspace (docs/igc.md). Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_SUBSPACE_ROUND_H_
#define THINWIRE_CLIENT_TRAIN_SUBSPACE_ROUND_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "common/subspace/fastfood.h"
#include "common/subspace/trainable_vector.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// One round. The network's own weights are theta; besides them there are their gradients, which LibTorch makes, one
// workspace, and a few vectors of d numbers. Its functions throw what LibTorch throws.
class SubspaceRound {
 public:
  // `tensors` are the network's, in the order of `spec`, and hold theta_e. All must outlive it. INVALID_ARGUMENT for
  // Adam; RESOURCE_EXHAUSTED without memory for the workspace.
  static absl::StatusOr<SubspaceRound> Create(const TrainRequest& request, const ModelSpec& spec,
                                              const std::vector<at::Tensor>* tensors);

  // theta_e becomes theta: adds A_k Sigma_k for every k.
  absl::Status Expand();
  // A step of SGD from the gradients of all weights, which are used up: with g' = A^T (g + decay theta),
  //   v = momentum v + g' + mu (D/d) (Sigma - Sigma_start),  Sigma -= rate (d/D) v,  theta += A (the change of Sigma).
  // INVALID_ARGUMENT if something is not finite.
  absl::Status Step();
  // Sigma of the own vector.
  const std::vector<float>& coordinates() const { return sigma_; }

 private:
  SubspaceRound(const TrainRequest& request, const ModelSpec& spec, const std::vector<at::Tensor>* tensors,
                FastfoodWorkspace workspace);
  absl::Status Add(const Fastfood& matrix, const std::vector<float>& coordinates);
  absl::Status Project();

  const TrainingOptions options_;
  const std::vector<Fastfood>& matrices_;
  const std::vector<std::vector<float>>& start_;
  const Fastfood& own_;
  const std::vector<float>& own_start_;
  const TrainableVector order_;
  const std::vector<at::Tensor>* const tensors_;
  FastfoodWorkspace workspace_;
  std::vector<float> sigma_, momentum_, slope_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_SUBSPACE_ROUND_H_
