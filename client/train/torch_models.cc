#include "client/train/torch_models.h"

#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/train/layers.h"
#include "client/train/torch_dropout.h"
#include "client/train/torch_trainer.h"

namespace thinwire {
namespace {

namespace nn = torch::nn;

using Keeper = std::shared_ptr<MatrixKeeper>;

std::shared_ptr<ConvolutionLayer> Convolution(const Keeper& keeper, int64_t in, int64_t out, int64_t kernel) {
  const ConvolutionShape same{{1, 1}, {kernel / 2, kernel / 2}, 1};
  return std::make_shared<ConvolutionLayer>(keeper, in, out, kernel, same);
}
std::shared_ptr<LinearLayer> Linear(const Keeper& keeper, int64_t in, int64_t out) {
  return std::make_shared<LinearLayer>(keeper, in, out);
}

// The same images, laid out with the channels innermost, which convolutions on the CPU take and give without a
// reordering before and after each: the demo's CNN trains 1.4 times and evaluates 2.6 times as fast. With one channel
// both layouts have the same bytes and LibTorch would guess the other one from the strides, so they are written anew.
at::Tensor ChannelsLast(const at::Tensor& images) {
  if (images.size(1) > 1) return images.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor dense = images.contiguous();
  return dense.as_strided(dense.sizes(), {dense.stride(0), 1, dense.stride(2), dense.stride(3)});
}

class Mlp : public ImageModel {
 public:
  Mlp(const ModelInput& input, const Keeper& keeper)
      : fc1_(register_module("fc1", Linear(keeper, static_cast<int64_t>(input.shape.values()), 200))),
        fc2_(register_module("fc2", Linear(keeper, 200, 200))),
        fc3_(register_module("fc3", Linear(keeper, 200, input.classes))) {}

  at::Tensor Forward(const at::Tensor& images) override {
    return (*fc3_)(at::relu((*fc2_)(at::relu((*fc1_)(images.flatten(1))))));
  }

 private:
  std::shared_ptr<LinearLayer> fc1_, fc2_, fc3_;
};

class Cnn : public ImageModel {
 public:
  Cnn(const ModelInput& input, const Keeper& keeper)
      : conv1_(register_module("conv1", Convolution(keeper, input.shape.channels, 16, 5))),
        conv2_(register_module("conv2", Convolution(keeper, 16, 32, 5))),
        fc1_(register_module("fc1", Linear(keeper, 32 * (input.shape.height / 4) * (input.shape.width / 4), 64))),
        fc2_(register_module("fc2", Linear(keeper, 64, input.classes))) {}

  at::Tensor Forward(const at::Tensor& images) override {
    at::Tensor x = at::max_pool2d((*conv1_)(ChannelsLast(images)).relu_(), 2);
    x = at::max_pool2d((*conv2_)(x).relu_(), 2);
    return (*fc2_)(at::relu((*fc1_)(x.flatten(1))));
  }

 private:
  std::shared_ptr<ConvolutionLayer> conv1_, conv2_;
  std::shared_ptr<LinearLayer> fc1_, fc2_;
};

// The network of M22 (arXiv 2301.09269), after its authors' Keras code: order ReLU, BatchNorm; Keras' BatchNorm
// defaults (momentum 0.99, which is 0.01 here, and epsilon 0.001).
class CifarCnn : public ImageModel {
 public:
  CifarCnn(const ModelInput& input, const Keeper& keeper) {
    int64_t channels = input.shape.channels;
    for (size_t i = 0; i < kLayers; ++i) {
      const int64_t width = kWidths[i];
      convs_.push_back(register_module(absl::StrCat("conv", i + 1), Convolution(keeper, channels, width, 3)));
      norms_.push_back(register_module(absl::StrCat("bn", i + 1), nn::BatchNorm2d(Norm(width))));
      channels = width;
    }
    const int64_t flat = channels * (input.shape.height / 8) * (input.shape.width / 8);
    fc1_ = register_module("fc1", Linear(keeper, flat, 128));
    bn7_ = register_module("bn7", nn::BatchNorm1d(Norm(128)));
    fc2_ = register_module("fc2", Linear(keeper, 128, input.classes));
  }

  size_t min_batch() const override { return 2; }

  void Seed(uint64_t seed) override { random_.Seed(seed, bn7_->weight.device()); }

  at::Tensor Forward(const at::Tensor& images) override {
    at::Tensor x = ChannelsLast(images);
    for (size_t i = 0; i < kLayers; ++i) {
      x = norms_[i]((*convs_[i])(x).relu_());
      if (i % 2 == 1) x = kDropouts[i / 2](at::max_pool2d(x, 2), random_, is_training());
    }
    x = kDropouts[3](bn7_(at::relu((*fc1_)(x.flatten(1)))), random_, is_training());
    return (*fc2_)(x);
  }

 private:
  static constexpr size_t kLayers = 6;
  static constexpr int64_t kWidths[kLayers] = {32, 32, 64, 64, 128, 128};
  static nn::BatchNormOptions Norm(int64_t width) { return nn::BatchNormOptions(width).momentum(0.01).eps(1e-3); }

  const Dropout kDropouts[4] = {Dropout(0.2), Dropout(0.3), Dropout(0.4), Dropout(0.5)};
  std::vector<std::shared_ptr<ConvolutionLayer>> convs_;
  std::vector<nn::BatchNorm2d> norms_;
  std::shared_ptr<LinearLayer> fc1_, fc2_;
  nn::BatchNorm1d bn7_{nullptr};
  ModelRandom random_;
};

// ResNet-9 of FetchSGD's experiments (Rothchild et al. 2020), after their code without normalisation: no biases, logits
// times an eighth, and for `width` 64 the 6,568,640 parameters that later papers name. Here GroupNorm without scale and
// shift, which has no parameters, follows each convolution: it trains where the bare network needs a warm-up, and
// unlike BatchNorm it needs nothing of other samples, of which a client may have few.
class ResNet9 : public ImageModel {
 public:
  ResNet9(const ModelInput& input, const Keeper& keeper, int64_t width)
      : prep_(Conv("prep", keeper, input.shape.channels, width)),
        layer1_(Conv("layer1", keeper, width, 2 * width)),
        res1a_(Conv("res1a", keeper, 2 * width, 2 * width)),
        res1b_(Conv("res1b", keeper, 2 * width, 2 * width)),
        layer2_(Conv("layer2", keeper, 2 * width, 4 * width)),
        layer3_(Conv("layer3", keeper, 4 * width, 8 * width)),
        res3a_(Conv("res3a", keeper, 8 * width, 8 * width)),
        res3b_(Conv("res3b", keeper, 8 * width, 8 * width)),
        linear_(register_module("linear", std::make_shared<LinearLayer>(keeper, 8 * width, input.classes, false))) {}

  at::Tensor Forward(const at::Tensor& images) override {
    at::Tensor x = Block(prep_, ChannelsLast(images));
    x = at::max_pool2d(Block(layer1_, x), 2);
    x = x + Block(res1b_, Block(res1a_, x));
    x = at::max_pool2d(Block(layer2_, x), 2);
    x = at::max_pool2d(Block(layer3_, x), 2);
    x = x + Block(res3b_, Block(res3a_, x));
    x = at::max_pool2d(x, {x.size(2), x.size(3)}).flatten(1);
    return (*linear_)(x)*kLogitScale;
  }

 private:
  using Layer = std::shared_ptr<ConvolutionLayer>;
  static constexpr double kLogitScale = 0.125;
  static constexpr int64_t kChannelsPerGroup = 16;

  Layer Conv(const std::string& name, const Keeper& keeper, int64_t in, int64_t out) {
    const ConvolutionShape same{{1, 1}, {1, 1}, 1};
    return register_module(name, std::make_shared<ConvolutionLayer>(keeper, in, out, 3, same, /*with_bias=*/false));
  }
  static at::Tensor Block(const Layer& layer, const at::Tensor& x) {
    const at::Tensor y = (*layer)(x);
    return at::relu(at::group_norm(y, y.size(1) / kChannelsPerGroup));
  }

  const Layer prep_, layer1_, res1a_, res1b_, layer2_, layer3_, res3a_, res3b_;
  const std::shared_ptr<LinearLayer> linear_;
};

template <int64_t width>
std::shared_ptr<ImageModel> MakeResNet9(const ModelInput& input, const Keeper& keeper) {
  return std::make_shared<ResNet9>(input, keeper, width);
}

struct Architecture {
  uint32_t min_side;  // of an image
  std::shared_ptr<ImageModel> (*make)(const ModelInput&, const Keeper&);
};

template <typename Model>
std::shared_ptr<ImageModel> Make(const ModelInput& input, const Keeper& keeper) {
  return std::make_shared<Model>(input, keeper);
}

const std::map<std::string, Architecture>& Architectures() {
  static const auto* const table = new std::map<std::string, Architecture>{
      {"cifar-cnn", {8, &Make<CifarCnn>}},
      {"cnn", {4, &Make<Cnn>}},
      {"mlp", {1, &Make<Mlp>}},
      {"resnet9", {8, &MakeResNet9<64>}},
      {"resnet9-narrow", {8, &MakeResNet9<16>}},
  };
  return *table;
}

}  // namespace

std::vector<std::string> TorchModelNames() {
  std::vector<std::string> names;
  for (const auto& entry : Architectures()) names.push_back(entry.first);
  return names;
}

absl::StatusOr<std::shared_ptr<ImageModel>> MakeImageModel(const std::string& name, const ModelInput& input,
                                                           const std::shared_ptr<MatrixKeeper>& keeper) {
  const auto found = Architectures().find(name);
  if (found == Architectures().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no model '", name, "'; choose one of: ", absl::StrJoin(TorchModelNames(), ", ")));
  }
  const uint32_t side = found->second.min_side;
  if (input.shape.height < side || input.shape.width < side) {
    return absl::InvalidArgumentError(absl::StrCat("model '", name, "' needs images of at least ", side, "x", side,
                                                   ", the data has ", input.shape.height, "x", input.shape.width,
                                                   "; choose another model"));
  }
  return found->second.make(input, keeper);
}

}  // namespace thinwire
