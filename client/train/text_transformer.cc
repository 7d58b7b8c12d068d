#include "client/train/text_transformer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

namespace nn = torch::nn;

constexpr double kMasked = -1e9;          // as a score: e^kMasked is 0
constexpr double kLongestPeriod = 10000;  // of the rotary positions, in radians per place^-1

nn::LayerNorm Norm(int64_t width) { return nn::LayerNorm(nn::LayerNormOptions({width})); }

// Turns each pair (i, i + half) of the last dimension by its place's angle.
at::Tensor Rotate(const at::Tensor& x, const TextPlaces& places) {
  const auto halves = x.chunk(2, -1);
  return x * places.cosine + at::cat({-halves[1], halves[0]}, -1) * places.sine;
}

}  // namespace

TextBlock::TextBlock(const std::shared_ptr<MatrixKeeper>& keeper, const TextModelOptions& options)
    : width_(options.width), heads_(options.heads), dropout_(options.dropout) {
  const int64_t inner = width_ * options.expansion;
  const auto linear = [&](const char* name, int64_t in, int64_t out) {
    return register_module(name, std::make_shared<LinearLayer>(keeper, in, out));
  };
  attention_norm_ = register_module("attention_norm", Norm(width_));
  query_key_value_ = linear("query_key_value", width_, 3 * width_);
  attended_ = linear("attended", width_, width_);
  feed_norm_ = register_module("feed_norm", Norm(width_));
  up_ = linear("up", width_, inner);
  down_ = linear("down", inner, width_);
}

at::Tensor TextBlock::operator()(const at::Tensor& input, const TextPlaces& places, ModelRandom& random) {
  const at::Tensor x = input + dropout_(Attend(input, places), random, is_training());
  return x + dropout_(Feed(x), random, is_training());
}

at::Tensor TextBlock::Attend(const at::Tensor& x, const TextPlaces& places) {
  const int64_t n = x.size(0), length = x.size(1), part = width_ / heads_;
  // [3, n, heads, length, part]
  const at::Tensor all =
      (*query_key_value_)(attention_norm_(x)).view({n, length, 3, heads_, part}).permute({2, 0, 3, 1, 4});
  const at::Tensor query = Rotate(all[0], places) / std::sqrt(static_cast<double>(part));
  const at::Tensor scores = at::matmul(query, Rotate(all[1], places).transpose(-1, -2)) + places.mask;
  const at::Tensor mixed = at::matmul(scores.softmax(-1), all[2]);
  return (*attended_)(mixed.transpose(1, 2).reshape({n, length, width_}));
}

at::Tensor TextBlock::Feed(const at::Tensor& x) { return (*down_)(at::gelu((*up_)(feed_norm_(x)))); }

TextTransformer::TextTransformer(const std::shared_ptr<MatrixKeeper>& keeper, const TextModelOptions& options)
    : options_(options), dropout_(options.dropout) {
  table_ = register_module(options.table, std::make_shared<EmbeddingLayer>(keeper, options.symbols, options.width));
  for (int64_t i = 0; i < options.blocks; ++i) {
    blocks_.push_back(register_module(absl::StrCat("block", i), std::make_shared<TextBlock>(keeper, options)));
  }
  norm_ = register_module("norm", Norm(options.width));
  scores_ = register_module("scores", std::make_shared<LinearLayer>(keeper, options.width, options.classes));
}

void TextTransformer::Seed(uint64_t seed) {
  seed_ = seed;
  passes_ = 0;
}

// real [n, length, 1]: 1 where there is a symbol, 0 where there is padding.
TextPlaces TextTransformer::PlacesOf(const at::Tensor& real) const {
  const int64_t length = real.size(1), part = options_.width / options_.heads;
  const at::Tensor rates = at::pow(kLongestPeriod, at::arange(0, part, 2, real.options()) / -static_cast<double>(part));
  const at::Tensor angles = at::arange(length, real.options()).unsqueeze(1) * rates.repeat({2});
  // Padding lies behind all symbols, so that no symbol of a language model can see it.
  const at::Tensor mask = options_.next_symbol ? at::full({length, length}, kMasked, real.options()).triu(1)
                                               : (1 - real).mul(kMasked).view({real.size(0), 1, 1, length});
  return {mask, angles.cos(), angles.sin()};
}

at::Tensor TextTransformer::Forward(const at::Tensor& symbols, const at::Tensor& lengths) {
  if (is_training()) random_.Seed(DeriveKey({seed_, passes_++}), symbols.device());
  const at::Tensor places = at::arange(symbols.size(1), lengths.options()).unsqueeze(0);
  const at::Tensor real = places.lt(lengths.unsqueeze(1)).to(at::kFloat).unsqueeze(2);
  const TextPlaces all = PlacesOf(real);
  // The table's rows are about 1/sqrt(width) large.
  at::Tensor x = (*table_)(symbols)*std::sqrt(static_cast<double>(options_.width));
  x = dropout_(x, random_, is_training());
  for (const auto& block : blocks_) x = (*block)(x, all, random_);
  x = norm_(x);
  if (!options_.next_symbol) x = (x * real).sum(1) / lengths.to(at::kFloat).unsqueeze(1);
  return (*scores_)(x);
}

}  // namespace thinwire
