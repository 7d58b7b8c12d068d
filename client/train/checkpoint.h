// Activation checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): a block of layers keeps
// only its input, and is computed once more when its gradient is asked for. Includes LibTorch: only for files of this
// room.
#ifndef THINWIRE_CLIENT_TRAIN_CHECKPOINT_H_
#define THINWIRE_CLIENT_TRAIN_CHECKPOINT_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>

#include "client/train/matrix_keeper.h"

namespace thinwire {

// block(x), which must be the same when it is computed again: `random` (may be undefined) is put back to where it
// stood, other sources of randomness must not be used. `block` is kept until the backward pass and is given x or a copy
// of it that needs a gradient; other tensors that it uses are leaves (parameters) or need no gradient. Where no
// gradient is recorded, this is block(x).
at::Tensor Checkpoint(const std::function<at::Tensor(const at::Tensor&)>& block, const at::Tensor& x,
                      MatrixKeeper* keeper, at::Generator random);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_CHECKPOINT_H_
