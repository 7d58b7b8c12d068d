// Fresh weights that do not depend on LibTorch's random numbers, so that they are the same with every LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_
#define THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_

#include <cstdint>

#include "common/tensor/model_state.h"

namespace thinwire {

// Draws every trainable tensor of two or more dimensions [out, in, ...] uniformly from [-b, b), b = 1/sqrt(in * ...),
// and "X.bias" from the same range if "X.weight" is such a tensor: PyTorch's rule for linear and convolutional layers.
// Other tensors (scales and shifts of normalisation layers, buffers) keep their values.
void InitializeWeights(uint64_t seed, ModelState* state);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_
