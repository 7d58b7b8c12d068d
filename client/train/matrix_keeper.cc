#include "client/train/matrix_keeper.h"

#include <ATen/ATen.h>

namespace thinwire {

at::Tensor PlainMatrices::NewMatrix(at::IntArrayRef shape) { return at::zeros(shape); }

at::Tensor PlainMatrices::Linear(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias) {
  return at::linear(x, matrix, bias);
}

at::Tensor PlainMatrices::Convolution(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias,
                                      const ConvolutionShape& shape) {
  const std::vector<int64_t> ones(shape.stride.size(), 1), zeros(shape.stride.size(), 0);
  return at::convolution(x, matrix, bias, shape.stride, shape.padding, /*dilation=*/ones, /*transposed=*/false,
                         /*output_padding=*/zeros, shape.groups);
}

at::Tensor PlainMatrices::Embedding(const at::Tensor& indices, const at::Tensor& matrix) {
  return at::embedding(matrix, indices);
}

}  // namespace thinwire
