#include "client/train/layers.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

namespace thinwire {
namespace {

std::vector<int64_t> KernelShape(int64_t in, int64_t out, int64_t kernel, const ConvolutionShape& shape) {
  std::vector<int64_t> sizes = {out, in / shape.groups};
  sizes.resize(sizes.size() + shape.stride.size(), kernel);
  return sizes;
}

}  // namespace

LinearLayer::LinearLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t in, int64_t out, bool with_bias)
    : keeper_(std::move(keeper)), weight_(register_parameter("weight", keeper_->NewMatrix({out, in}))) {
  if (with_bias) bias_ = register_parameter("bias", at::zeros({out}));
}

ConvolutionLayer::ConvolutionLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t in, int64_t out, int64_t kernel,
                                   ConvolutionShape shape, bool with_bias)
    : keeper_(std::move(keeper)),
      shape_(std::move(shape)),
      weight_(register_parameter("weight", keeper_->NewMatrix(KernelShape(in, out, kernel, shape_)))) {
  if (with_bias) bias_ = register_parameter("bias", at::zeros({out}));
}

EmbeddingLayer::EmbeddingLayer(std::shared_ptr<MatrixKeeper> keeper, int64_t rows, int64_t width)
    : keeper_(std::move(keeper)), weight_(register_parameter("weight", keeper_->NewMatrix({rows, width}))) {}

}  // namespace thinwire
