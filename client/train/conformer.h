// The Conformer encoder (Gulati et al., "Conformer: convolution-augmented transformer for speech recognition",
// Interspeech 2020) with one linear layer for CTC. Includes LibTorch: only for files of this room.
//
// As in the paper: two convolutions with stride 2 in time and frequency, then blocks of half a feed-forward module,
// self-attention, convolution module, half a feed-forward module and a LayerNorm, each module with a LayerNorm before
// it and a residual around it, Swish. Other than in the paper:
//  - Positions are rotary (Su et al., arXiv 2104.09864; in a Conformer: Li et al., arXiv 2107.05907), not
//  Transformer-XL's.
//    Scores depend on distances alone in both; rotations need no matrix, no shift of the scores, no longest length.
//  - GroupNorm over the channels of a frame stands where BatchNorm was: statistics of a batch are not a client's to
//    share, and those of a frame depend neither on the batch nor on how far an utterance was padded.
// So what comes out for an utterance does not depend on what else is in its batch.
#ifndef THINWIRE_CLIENT_TRAIN_CONFORMER_H_
#define THINWIRE_CLIENT_TRAIN_CONFORMER_H_

#include <torch/nn/module.h>
#include <torch/nn/modules/normalization.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/train/conformer_options.h"
#include "client/train/layers.h"
#include "client/train/matrix_keeper.h"
#include "client/train/torch_dropout.h"

namespace thinwire {

// What all blocks of one forward pass are given beside x. Tensors in it need no gradient.
struct ConformerFrames {
  at::Tensor real;          // [n, frames, 1] 1 where an utterance has a frame, 0 where it is padded
  at::Tensor attendable;    // [n, 1, 1, frames] 0 where there is a frame, else a large negative number
  at::Tensor cosine, sine;  // [frames, width / heads] of the rotary positions
  uint64_t seed = 0;        // of dropout
};

// One block, a function of x [n, frames, width], which it does not change, and of its parameters. Called twice with the
// same arguments it gives the same bits, dropout included: it may be computed again in the backward pass.
class ConformerBlock : public torch::nn::Module {
 public:
  // `index` tells its random numbers from other blocks'.
  ConformerBlock(const std::shared_ptr<MatrixKeeper>& keeper, const ConformerOptions& options, uint64_t index);
  at::Tensor operator()(const at::Tensor& x, const ConformerFrames& frames);

 private:
  struct FeedForward {
    torch::nn::LayerNorm norm{nullptr};
    std::shared_ptr<LinearLayer> up, down;
  };
  FeedForward MakeFeedForward(const std::string& name, const std::shared_ptr<MatrixKeeper>& keeper);
  at::Tensor Feed(const at::Tensor& x, FeedForward& module);
  at::Tensor Attend(const at::Tensor& x, const ConformerFrames& frames);
  at::Tensor Convolve(const at::Tensor& x, const ConformerFrames& frames);
  at::Tensor Drop(const at::Tensor& x) { return dropout_(x, random_, is_training()); }

  const ConformerOptions options_;
  const uint64_t index_;
  FeedForward first_, second_;
  torch::nn::LayerNorm attention_norm_{nullptr}, convolution_norm_{nullptr}, final_norm_{nullptr};
  std::shared_ptr<LinearLayer> query_key_value_, attended_, gated_, convolved_;
  std::shared_ptr<ConvolutionLayer> depthwise_;
  torch::nn::GroupNorm group_norm_{nullptr};
  const Dropout dropout_;
  ModelRandom random_;
};

class Conformer : public torch::nn::Module {
 public:
  // `options` have passed CheckConformer.
  Conformer(const std::shared_ptr<MatrixKeeper>& keeper, const ConformerOptions& options);

  struct Output {
    at::Tensor scores;   // [n, frames, labels], natural logarithms of probabilities
    at::Tensor lengths;  // int64 [n], frames of each utterance; what lies behind them means nothing
  };
  // x [n, frames, features], padded with zeros behind `lengths` (int64 [n], at least 1). A quarter of the frames comes
  // out, rounded up twice.
  Output Forward(const at::Tensor& x, const at::Tensor& lengths);
  // Dropout of the next forward passes follows from `seed` and their number since.
  void Seed(uint64_t seed);

 private:
  at::Tensor Front(const at::Tensor& x, at::Tensor* lengths);
  ConformerFrames FramesOf(const at::Tensor& lengths, int64_t frames);

  const std::shared_ptr<MatrixKeeper> keeper_;
  const ConformerOptions options_;
  std::shared_ptr<ConvolutionLayer> front1_, front2_;
  std::shared_ptr<LinearLayer> front_, labels_;
  std::vector<std::shared_ptr<ConformerBlock>> blocks_;
  const Dropout dropout_;
  ModelRandom random_;
  uint64_t seed_ = 0;
  uint64_t passes_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_CONFORMER_H_
