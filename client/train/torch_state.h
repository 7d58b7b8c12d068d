// A LibTorch module's tensors as a model that travels. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_

#include <torch/nn/module.h>

#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// The tensors of a module: named_parameters (trainable; frozen if they need no gradient), then named_buffers.
// UNIMPLEMENTED, naming the tensor, for types other than float32 and int64.
absl::StatusOr<ModelSpec> SpecOf(const torch::nn::Module& module);

// The module's tensors in the order of SpecOf.
std::vector<at::Tensor> TensorsOf(const torch::nn::Module& module);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_
