// Layers whose matrix a MatrixKeeper holds. Parameters have PyTorch's names ("weight", "bias") and start at zero;
// model_init.h gives them values. Norms need no layer of ours: torch::nn's keep small FP32 parameters. Includes
// LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_LAYERS_H_
#define THINWIRE_CLIENT_TRAIN_LAYERS_H_

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "client/train/matrix_keeper.h"

namespace thinwire {

// y = x W^T + b over the last dimension.
class LinearLayer : public torch::nn::Module {
 public:
  LinearLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t in, int64_t out, bool with_bias = true);
  // LibTorch multiplies a matrix by what lies in one piece in one go, and batch by batch by what does not.
  at::Tensor operator()(const at::Tensor& x) { return keeper_->Linear(x.contiguous(), weight_, bias_); }

 private:
  const std::shared_ptr<MatrixKeeper> keeper_;
  at::Tensor weight_;  // [out, in]
  at::Tensor bias_;    // [out], or undefined
};

// Convolution over one or two spatial dimensions, the number of entries in shape.stride.
class ConvolutionLayer : public torch::nn::Module {
 public:
  // `kernel` is the same along each dimension. shape.groups divides both in and out; groups == in is depthwise.
  ConvolutionLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t in, int64_t out, int64_t kernel,
                   ConvolutionShape shape, bool with_bias = true);
  at::Tensor operator()(const at::Tensor& x) { return keeper_->Convolution(x, weight_, bias_, shape_); }

 private:
  const std::shared_ptr<MatrixKeeper> keeper_;
  const ConvolutionShape shape_;
  at::Tensor weight_;  // [out, in / groups, kernel...]
  at::Tensor bias_;
};

// Rows of a table by index.
class EmbeddingLayer : public torch::nn::Module {
 public:
  EmbeddingLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t rows, int64_t width);
  at::Tensor operator()(const at::Tensor& indices) { return keeper_->Embedding(indices, weight_); }

 private:
  const std::shared_ptr<MatrixKeeper> keeper_;
  at::Tensor weight_;  // [rows, width]
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_LAYERS_H_
