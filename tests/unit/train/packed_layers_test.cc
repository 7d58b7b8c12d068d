// Every layer that holds a packed matrix against a plain twin: its gradients are the derivatives of what it computes,
// and at eleven bits it computes with the values that it holds and nothing else.
#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/normalization.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "client/train/conformer.h"
#include "client/train/layers.h"
#include "client/train/packed_matrices.h"
#include "client/train/text_transformer.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using Keeper = std::shared_ptr<MatrixKeeper>;

// A module as a function of x.
struct Layer {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(const at::Tensor&)> run;
};
struct Case {
  std::string name;
  std::vector<int64_t> input;
  std::function<Layer(const Keeper&)> make;
  int64_t symbols = 0;  // not 0: x are symbols below this
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

template <typename Module>
Layer Plainly(std::shared_ptr<Module> module) {
  return {module, [module](const at::Tensor& x) { return (*module)(x); }};
}

Case Linear(const std::string& name, bool bias) {
  return {name, {3, 4, 6}, [=](const Keeper& keeper) {
            return Plainly(std::make_shared<LinearLayer>(keeper, 6, 5, bias));
          }};
}

Case Convolution(const std::string& name, std::vector<int64_t> input, int64_t out, const ConvolutionShape& shape,
                 bool bias = true) {
  return {name, input, [=](const Keeper& keeper) {
            return Plainly(std::make_shared<ConvolutionLayer>(keeper, input[1], out, 3, shape, bias));
          }};
}

// Matrices before, between and behind norms, whose own parameters are plain.
class Norms : public torch::nn::Module {
 public:
  explicit Norms(const Keeper& keeper)
      : in_(register_module("in", std::make_shared<LinearLayer>(keeper, 6, 8))),
        layer_(register_module("layer", torch::nn::LayerNorm(torch::nn::LayerNormOptions({8})))),
        between_(register_module("between", std::make_shared<LinearLayer>(keeper, 8, 8))),
        group_(register_module("group", torch::nn::GroupNorm(torch::nn::GroupNormOptions(2, 8)))),
        out_(register_module("out", std::make_shared<LinearLayer>(keeper, 8, 3))) {}
  at::Tensor operator()(const at::Tensor& x) { return (*out_)(group_((*between_)(layer_((*in_)(x))))); }

 private:
  std::shared_ptr<LinearLayer> in_;
  torch::nn::LayerNorm layer_;
  std::shared_ptr<LinearLayer> between_;
  torch::nn::GroupNorm group_;
  std::shared_ptr<LinearLayer> out_;
};

// Attention over 5 frames, a depthwise convolution, layer and group norms.
Layer MakeConformerBlock(const Keeper& keeper) {
  const ConformerOptions options{10, 7, 1, 8, 2, 2, 3, 2, 4, 0.0};
  const auto block = std::make_shared<ConformerBlock>(keeper, options, 0);
  return {block, [block](const at::Tensor& x) {
            const at::Tensor angles = at::arange(20, x.options()).mul(0.3).view({5, 4});
            return (*block)(x, {at::ones({2, 5, 1}, x.options()), at::zeros({2, 1, 1, 5}, x.options()), angles.cos(),
                                angles.sin(), 0});
          }};
}

Layer MakeTextBlock(const Keeper& keeper) {
  TextModelOptions options;
  options.width = 8;
  options.heads = 2;
  options.dropout = 0;
  const auto block = std::make_shared<TextBlock>(keeper, options);
  return {block, [block](const at::Tensor& x) {
            const at::Tensor angles = at::arange(20, x.options()).mul(0.3).view({5, 4});
            ModelRandom random;
            return (*block)(x, {at::zeros({1, 1, 1, 5}, x.options()), angles.cos(), angles.sin()}, random);
          }};
}

std::vector<Case> Cases() {
  return {Linear("linear", true),
          Linear("linear_without_bias", false),
          Convolution("conv1d", {2, 4, 9}, 6, {{1}, {1}, 1}),
          Convolution("conv1d_without_bias", {2, 4, 9}, 6, {{1}, {0}, 1}, false),
          Convolution("conv1d_stride", {2, 4, 9}, 6, {{2}, {1}, 1}),
          Convolution("conv1d_groups", {2, 8, 9}, 6, {{1}, {1}, 2}),
          Convolution("conv1d_depthwise", {2, 6, 9}, 6, {{1}, {1}, 6}),
          Convolution("conv2d", {2, 3, 6, 7}, 4, {{1, 1}, {1, 1}, 1}),
          Convolution("conv2d_stride", {2, 3, 6, 7}, 4, {{2, 3}, {1, 0}, 1}),
          Convolution("conv2d_groups", {2, 6, 5, 5}, 9, {{1, 1}, {1, 1}, 3}),
          Convolution("conv2d_depthwise", {2, 4, 6, 7}, 4, {{2, 1}, {1, 1}, 4}, false),
          {"embedding_of_repeated_symbols",
           {3, 7},
           [](const Keeper& keeper) { return Plainly(std::make_shared<EmbeddingLayer>(keeper, 5, 6)); },
           4},
          {"norms", {4, 6}, [](const Keeper& keeper) { return Plainly(std::make_shared<Norms>(keeper)); }},
          {"conformer_block", {2, 5, 8}, MakeConformerBlock},
          {"text_block", {2, 5, 8}, MakeTextBlock}};
}

// Random numbers in (-1, 1); those of one seed and shape are the same in both precisions.
at::Tensor Random(int64_t seed, at::IntArrayRef shape) {
  const int64_t count = c10::multiply_integers(shape);
  const at::Tensor places = at::arange(count, at::kDouble).add(7919.0 * static_cast<double>(seed));
  return at::frac(at::sin(places.mul(12.9898)).mul(43758.5453)).to(at::kFloat).view(shape);
}

PackedFormat Format(int exponent_bits, int mantissa_bits) {
  PackedFormat format;
  format.format = {exponent_bits, mantissa_bits};
  if (exponent_bits == 8) format.scale = ScaleRule::kNone;
  return format;
}

class PackedLayers : public testing::TestWithParam<Case> {
 protected:
  // The layer on packed matrices with random values, and a plain one with the values that these hold.
  void Make(const PackedFormat& format) {
    at::NoGradGuard no_grad;
    packed_ = std::make_shared<PackedMatrices>(format);
    layer_ = GetParam().make(packed_);
    plain_ = GetParam().make(std::make_shared<PlainMatrices>());
    for (size_t i = 0; i < parameters().size(); ++i) {
      const at::Tensor values = Random(static_cast<int64_t>(i), parameters()[i].sizes()).mul(0.5);
      if (packed_->Holds(parameters()[i])) {
        ASSERT_TRUE(packed_->matrix(packed_->IndexOf(parameters()[i])).Pack(Span(values), 1).ok());
      } else {
        parameters()[i].copy_(values);
      }
      plain_.module->parameters()[i].copy_(Held(i));
    }
    TrainingOptions options;
    options.learning_rate = 1;
    ASSERT_TRUE(packed_->BeginRound(options, 1).ok());
    x_ = Random(100, GetParam().input);
    if (GetParam().symbols > 0) x_ = x_.abs().mul(static_cast<double>(GetParam().symbols)).to(at::kLong);
  }

  std::vector<at::Tensor> parameters() const { return layer_.module->parameters(); }
  // What parameter `i` is, expanded if it is packed.
  at::Tensor Held(size_t i) const {
    const at::Tensor parameter = parameters()[i];
    if (!packed_->Holds(parameter)) return parameter.detach().clone();
    const at::Tensor values = at::empty(parameter.sizes());
    std::as_const(*packed_).matrix(packed_->IndexOf(parameter)).Expand(Span(values));
    return values;
  }
  static absl::Span<float> Span(const at::Tensor& values) {
    return absl::MakeSpan(values.data_ptr<float>(), static_cast<size_t>(values.numel()));
  }

  // A weighted sum of what comes out.
  static at::Tensor Loss(const at::Tensor& y) { return (y * Random(200, y.sizes()).to(y.dtype())).sum(); }
  // x with a gradient, if it can have one.
  at::Tensor Leaf() const { return GetParam().symbols > 0 ? x_ : x_.clone().requires_grad_(true); }
  // The gradient of x, after a step.
  at::Tensor Step() {
    const at::Tensor x = Leaf();
    packed_->BeginStep(1);
    Loss(layer_.run(x)).backward();
    EXPECT_TRUE(packed_->EndStep().ok());
    return x.grad();
  }

  std::shared_ptr<PackedMatrices> packed_;
  Layer layer_, plain_;
  at::Tensor x_;
};

// Along a random direction of x and of each parameter, the matrices' gradient being what a step of rate 1 takes away.
// Derivatives are differences of the plain twin in double precision.
TEST_P(PackedLayers, GradientsAreTheDerivativesOfWhatComesOut) {
  Make(Format(8, 23));
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < parameters().size(); ++i) gradients.push_back(Held(i));
  const at::Tensor of_x = Step();
  for (size_t i = 0; i < parameters().size(); ++i) {
    gradients[i] = packed_->Holds(parameters()[i]) ? gradients[i] - Held(i) : parameters()[i].grad();
  }
  at::NoGradGuard no_grad;
  plain_.module->to(at::kDouble);
  at::Tensor x = x_.is_floating_point() ? x_.to(at::kDouble) : x_;
  const auto check = [&](const std::string& what, const at::Tensor& gradient, at::Tensor values) {
    const at::Tensor direction = Random(300, values.sizes()).to(at::kDouble);
    const double h = 1e-5;
    values.add_(direction, h);
    const double above = Loss(plain_.run(x)).item<double>();
    values.sub_(direction, 2 * h);
    const double below = Loss(plain_.run(x)).item<double>();
    values.add_(direction, h);
    const double product = (gradient.to(at::kDouble) * direction).sum().item<double>();
    const double most = gradient.to(at::kDouble).norm().item<double>() * direction.norm().item<double>();
    EXPECT_NEAR(product, (above - below) / (2 * h), 1e-5 * most) << what;
    EXPECT_GT(most, 0) << what;
  };
  if (of_x.defined()) check("x", of_x, x);
  const auto names = plain_.module->named_parameters();
  for (size_t i = 0; i < gradients.size(); ++i) check(names[i].key(), gradients[i], names[i].value());
}

// The weights before their step decide the gradient of x; those of plain parameters come from autograd alone.
TEST_P(PackedLayers, AtElevenBitsGradientsHaveTheBitsOfAPlainLayerOfTheSameValues) {
  Make(Format(3, 7));
  const at::Tensor of_x = Step(), x = Leaf();
  Loss(plain_.run(x)).backward();
  if (of_x.defined()) {
    EXPECT_TRUE(at::equal(of_x, x.grad()));
  }
  for (size_t i = 0; i < parameters().size(); ++i) {
    const at::Tensor before = plain_.module->parameters()[i];
    if (packed_->Holds(parameters()[i])) {
      EXPECT_FALSE(at::equal(Held(i), before)) << i;
    } else {
      EXPECT_TRUE(at::equal(parameters()[i].grad(), before.grad())) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PackedLayers, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<Case>& layer) { return layer.param.name; });

}  // namespace
}  // namespace thinwire
