#include "client/train/conformer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/train/checkpoint.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

namespace nn = torch::nn;

constexpr double kMasked = -1e9;          // as a score: e^kMasked is 0
constexpr double kLongestPeriod = 10000;  // of the rotary positions, in radians per frame^-1
constexpr double kHalf = 0.5;             // weight of a feed-forward module beside its residual

nn::LayerNorm Norm(int64_t width) { return nn::LayerNorm(nn::LayerNormOptions({width})); }

// [n, frames] 1 in the first `lengths` frames of each utterance.
at::Tensor RealFrames(const at::Tensor& lengths, int64_t frames) {
  return at::arange(frames, lengths.options()).unsqueeze(0).lt(lengths.unsqueeze(1)).to(at::kFloat);
}

at::Tensor Halved(const at::Tensor& lengths) { return (lengths + 1).div(2, "floor"); }

// Turns each pair (i, i + half) of the last dimension by its frame's angle.
at::Tensor Rotate(const at::Tensor& x, const ConformerFrames& frames) {
  const auto halves = x.chunk(2, -1);
  return x * frames.cosine + at::cat({-halves[1], halves[0]}, -1) * frames.sine;
}

}  // namespace

ConformerBlock::ConformerBlock(const std::shared_ptr<MatrixKeeper>& keeper, const ConformerOptions& options,
                               uint64_t index)
    : options_(options), index_(index), dropout_(options.dropout) {
  const int64_t width = options.width;
  const auto linear = [&](const char* name, int64_t out) {
    return register_module(name, std::make_shared<LinearLayer>(keeper, width, out));
  };
  first_ = MakeFeedForward("first", keeper);
  attention_norm_ = register_module("attention_norm", Norm(width));
  query_key_value_ = linear("query_key_value", 3 * width);
  attended_ = linear("attended", width);
  convolution_norm_ = register_module("convolution_norm", Norm(width));
  gated_ = linear("gated", 2 * width);
  const ConvolutionShape shape{{1}, {options.kernel / 2}, width};
  depthwise_ =
      register_module("depthwise", std::make_shared<ConvolutionLayer>(keeper, width, width, options.kernel, shape));
  group_norm_ = register_module("group_norm", nn::GroupNorm(nn::GroupNormOptions(options.groups, width)));
  convolved_ = linear("convolved", width);
  second_ = MakeFeedForward("second", keeper);
  final_norm_ = register_module("final_norm", Norm(width));
}

ConformerBlock::FeedForward ConformerBlock::MakeFeedForward(const std::string& name,
                                                            const std::shared_ptr<MatrixKeeper>& keeper) {
  const int64_t width = options_.width, inner = width * options_.expansion;
  FeedForward module;
  module.norm = register_module(name + "_norm", Norm(width));
  module.up = register_module(name + "_up", std::make_shared<LinearLayer>(keeper, width, inner));
  module.down = register_module(name + "_down", std::make_shared<LinearLayer>(keeper, inner, width));
  return module;
}

at::Tensor ConformerBlock::operator()(const at::Tensor& input, const ConformerFrames& frames) {
  if (is_training()) random_.Seed(DeriveKey({frames.seed, KeyWord("conformer block"), index_}), input.device());
  at::Tensor x = input + kHalf * Feed(input, first_);
  x = x + Attend(x, frames);
  x = x + Convolve(x, frames);
  x = x + kHalf * Feed(x, second_);
  return final_norm_(x);
}

at::Tensor ConformerBlock::Feed(const at::Tensor& x, FeedForward& module) {
  return Drop((*module.down)(Drop(at::silu((*module.up)(module.norm(x))))));
}

at::Tensor ConformerBlock::Attend(const at::Tensor& x, const ConformerFrames& frames) {
  const int64_t n = x.size(0), length = x.size(1), part = options_.width / options_.heads;
  // [3, n, heads, frames, part]
  const at::Tensor all =
      (*query_key_value_)(attention_norm_(x)).view({n, length, 3, options_.heads, part}).permute({2, 0, 3, 1, 4});
  const at::Tensor query = Rotate(all[0], frames) / std::sqrt(static_cast<double>(part));
  const at::Tensor scores = at::matmul(query, Rotate(all[1], frames).transpose(-1, -2)) + frames.attendable;
  const at::Tensor mixed = at::matmul(scores.softmax(-1), all[2]);
  return Drop((*attended_)(mixed.transpose(1, 2).reshape({n, length, options_.width})));
}

at::Tensor ConformerBlock::Convolve(const at::Tensor& x, const ConformerFrames& frames) {
  const int64_t n = x.size(0), length = x.size(1);
  const at::Tensor gated = at::glu((*gated_)(convolution_norm_(x)), -1) * frames.real;
  const at::Tensor mixed = (*depthwise_)(gated.transpose(1, 2)).transpose(1, 2);
  const at::Tensor normed = group_norm_(mixed.reshape({n * length, options_.width}));
  return Drop((*convolved_)(at::silu(normed).view({n, length, options_.width})));
}

Conformer::Conformer(const std::shared_ptr<MatrixKeeper>& keeper, const ConformerOptions& options)
    : keeper_(keeper), options_(options), dropout_(options.dropout) {
  const int64_t channels = options.front_channels;
  const ConvolutionShape shape{{2, 2}, {1, 1}, 1};
  front1_ = register_module("front1", std::make_shared<ConvolutionLayer>(keeper, 1, channels, 3, shape));
  front2_ = register_module("front2", std::make_shared<ConvolutionLayer>(keeper, channels, channels, 3, shape));
  const int64_t columns = (options.features + 3) / 4;
  front_ = register_module("front", std::make_shared<LinearLayer>(keeper, channels * columns, options.width));
  for (int64_t i = 0; i < options.blocks; ++i) {
    blocks_.push_back(register_module(absl::StrCat("block", i),
                                      std::make_shared<ConformerBlock>(keeper, options, static_cast<uint64_t>(i))));
  }
  labels_ = register_module("labels", std::make_shared<LinearLayer>(keeper, options.width, options.labels));
}

void Conformer::Seed(uint64_t seed) {
  seed_ = seed;
  passes_ = 0;
}

// [n, frames, features] -> [n, a quarter of the frames, width]. The convolutions see zeros behind each utterance.
at::Tensor Conformer::Front(const at::Tensor& input, at::Tensor* lengths) {
  at::Tensor x = at::relu((*front1_)(input.unsqueeze(1)));
  *lengths = Halved(*lengths);
  x = at::relu((*front2_)(x * RealFrames(*lengths, x.size(2)).unsqueeze(1).unsqueeze(3)));
  *lengths = Halved(*lengths);
  return dropout_((*front_)(x.transpose(1, 2).flatten(2)), random_, is_training());
}

ConformerFrames Conformer::FramesOf(const at::Tensor& lengths, int64_t frames) {
  const at::Tensor real = RealFrames(lengths, frames);
  const int64_t part = options_.width / options_.heads;
  const auto floats = real.options();
  const at::Tensor rates = at::pow(kLongestPeriod, at::arange(0, part, 2, floats) / -static_cast<double>(part));
  const at::Tensor angles = at::arange(frames, floats).unsqueeze(1) * rates.repeat({2});
  return {real.unsqueeze(2), (1 - real).mul(kMasked).unsqueeze(1).unsqueeze(1), angles.cos(), angles.sin(),
          DeriveKey({seed_, passes_++})};
}

Conformer::Output Conformer::Forward(const at::Tensor& input, const at::Tensor& input_lengths) {
  if (is_training()) random_.Seed(DeriveKey({seed_, passes_, KeyWord("conformer front")}), input.device());
  at::Tensor lengths = input_lengths;
  at::Tensor x = Front(input, &lengths);
  const ConformerFrames frames = FramesOf(lengths, x.size(1));
  for (const auto& block : blocks_) {
    const auto run = [block, frames](const at::Tensor& in) { return (*block)(in, frames); };
    x = options_.checkpoint ? Checkpoint(run, x, keeper_.get(), {}) : run(x);
  }
  return {(*labels_)(x).log_softmax(-1), lengths};
}

}  // namespace thinwire
