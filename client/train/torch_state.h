// Between a LibTorch module and the plain floats that travel. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_

#include <torch/nn/module.h>

#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/model_spec.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// The tensors of a module: named_parameters (trainable; frozen if they need no gradient), then named_buffers.
// UNIMPLEMENTED, naming the tensor, for types other than float32 and int64.
absl::StatusOr<ModelSpec> SpecOf(const torch::nn::Module& module);

// The module's tensors in the order of SpecOf.
std::vector<at::Tensor> TensorsOf(const torch::nn::Module& module);

// Values of `state`, which has the spec of the module, into the module, on whatever device it is.
void CopyIn(const ModelState& state, torch::nn::Module& module);
// And back. The state's vectors keep their memory.
void CopyOut(const torch::nn::Module& module, ModelState* state);

// A float tensor that shares the memory of `values`, which must outlive it.
at::Tensor ViewOf(const std::vector<float>& values, const at::Tensor& like);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_STATE_H_
