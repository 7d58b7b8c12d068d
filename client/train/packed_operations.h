// The operations of a packed model as autograd functions: each saves its input, not its matrix. Includes LibTorch: only
// for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_PACKED_OPERATIONS_H_
#define THINWIRE_CLIENT_TRAIN_PACKED_OPERATIONS_H_

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "client/train/matrix_keeper.h"

namespace thinwire {

class PackedMatrices;

// Shapes as in matrix_keeper.h. `keeper` must outlive the backward pass.
at::Tensor PackedLinear(PackedMatrices* keeper, size_t index, const at::Tensor& x, const at::Tensor& bias);
at::Tensor PackedConvolution(PackedMatrices* keeper, size_t index, const at::Tensor& x, const at::Tensor& bias,
                             const ConvolutionShape& shape);
at::Tensor PackedEmbedding(PackedMatrices* keeper, size_t index, const at::Tensor& indices);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_PACKED_OPERATIONS_H_
