// A small transformer for text: a classifier of sentences, or a language model. As in "Attention is all you need"
// (Vaswani et al. 2017), but with norms in front of the modules (Xiong et al. 2020), rotary positions (Su et al. 2021)
// and GELU; a classifier averages the last norm's output over the sentence. Matrices are held by a MatrixKeeper.
// Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TEXT_TRANSFORMER_H_
#define THINWIRE_CLIENT_TRAIN_TEXT_TRANSFORMER_H_

#include <torch/nn/module.h>
#include <torch/nn/modules/normalization.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "client/train/layers.h"
#include "client/train/text_model_options.h"
#include "client/train/torch_dropout.h"

namespace thinwire {

// What all blocks of one forward pass are given beside x. None of it needs a gradient.
struct TextPlaces {
  at::Tensor mask;          // added to scores: 0 where a place may look, else a large negative number
  at::Tensor cosine, sine;  // [length, width / heads] of the rotary positions
};

// x [n, length, width] -> the same shape.
class TextBlock : public torch::nn::Module {
 public:
  TextBlock(const std::shared_ptr<MatrixKeeper>& keeper, const TextModelOptions& options);
  at::Tensor operator()(const at::Tensor& x, const TextPlaces& places, ModelRandom& random);

 private:
  at::Tensor Attend(const at::Tensor& x, const TextPlaces& places);
  at::Tensor Feed(const at::Tensor& x);

  const int64_t width_, heads_;
  const Dropout dropout_;
  torch::nn::LayerNorm attention_norm_{nullptr}, feed_norm_{nullptr};
  std::shared_ptr<LinearLayer> query_key_value_, attended_, up_, down_;
};

class TextTransformer : public torch::nn::Module {
 public:
  // `options` have passed CheckTextModel.
  TextTransformer(const std::shared_ptr<MatrixKeeper>& keeper, const TextModelOptions& options);

  // Scores, before a softmax, of `symbols` int64 [n, length]: [n, classes], or of a language model [n, length,
  // classes]. What lies behind `lengths` (int64 [n], at least 1) does not change a sentence's scores, and those of a
  // language model up to there.
  at::Tensor Forward(const at::Tensor& symbols, const at::Tensor& lengths);
  // Dropout of the next forward passes follows from `seed` and their number since.
  void Seed(uint64_t seed);

 private:
  TextPlaces PlacesOf(const at::Tensor& real) const;

  const TextModelOptions options_;
  std::shared_ptr<EmbeddingLayer> table_;
  std::vector<std::shared_ptr<TextBlock>> blocks_;
  torch::nn::LayerNorm norm_{nullptr};
  std::shared_ptr<LinearLayer> scores_;
  const Dropout dropout_;
  ModelRandom random_;
  uint64_t seed_ = 0;
  uint64_t passes_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TEXT_TRANSFORMER_H_
