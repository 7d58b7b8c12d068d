// The seam between a model, written once, and how its matrices are held: as plain tensors that autograd and an
// optimiser know (PlainMatrices), or as small floats that are expanded only while one operation uses them. Includes
// LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_MATRIX_KEEPER_H_
#define THINWIRE_CLIENT_TRAIN_MATRIX_KEEPER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace thinwire {

// One number for each spatial dimension.
struct ConvolutionShape {
  std::vector<int64_t> stride;
  std::vector<int64_t> padding;
  int64_t groups = 1;
};

// Shared by all layers of a model, which are called from one thread at a time. "Matrices" are the weights of linear,
// convolutional and embedding layers: nearly all of a model. Biases and norms stay ordinary parameters of their layers.
class MatrixKeeper {
 public:
  virtual ~MatrixKeeper() = default;

  // A parameter for a layer to register, so that the module tells its name, shape and place in the model. Its values
  // may live elsewhere: then it is on the meta device and has no memory.
  virtual at::Tensor NewMatrix(at::IntArrayRef shape) = 0;

  // Below, `matrix` is what NewMatrix returned, `bias` an ordinary tensor or undefined. Gradients flow to `x` and
  // `bias` through autograd; what becomes of the matrix's own gradient is the keeper's business.

  // x [..., in], matrix [out, in] -> [..., out].
  virtual at::Tensor Linear(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias) = 0;
  // x [n, in, spatial...], matrix [out, in / groups, kernel...], 1 or 2 spatial dimensions -> [n, out, spatial...].
  virtual at::Tensor Convolution(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias,
                                 const ConvolutionShape& shape) = 0;
  // indices int64 [...], matrix [rows, width] -> [..., width].
  virtual at::Tensor Embedding(const at::Tensor& indices, const at::Tensor& matrix) = 0;

  // Between true and false, operations repeat ones of the forward pass (checkpoint.h).
  virtual void SetRecomputing(bool /*recomputing*/) {}
};

// Ordinary parameters: the keeper holds nothing.
class PlainMatrices : public MatrixKeeper {
 public:
  at::Tensor NewMatrix(at::IntArrayRef shape) override;
  at::Tensor Linear(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias) override;
  at::Tensor Convolution(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias,
                         const ConvolutionShape& shape) override;
  at::Tensor Embedding(const at::Tensor& indices, const at::Tensor& matrix) override;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_MATRIX_KEEPER_H_
