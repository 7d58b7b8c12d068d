// Fresh weights that do not depend on LibTorch's random numbers, so that they are the same with every LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_
#define THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// For each tensor the b of PyTorch's rule for linear and convolutional layers: trainable tensors of two or more
// dimensions [out, in, ...] are drawn uniformly from [-b, b), b = 1/sqrt(in * ...), and "X.bias" from the same range if
// "X.weight" is such a tensor. 0 for others (scales and shifts of normalisation layers, buffers), which are not drawn.
std::vector<double> InitialBounds(const ModelSpec& spec);

// Draws values when they are asked for. What is not drawn comes from `others`, which must outlive it.
class FreshWeights : public BlockSource {
 public:
  FreshWeights(uint64_t seed, std::vector<double> bounds, BlockSource* others)
      : seed_(seed), bounds_(std::move(bounds)), others_(others) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  const uint64_t seed_;
  const std::vector<double> bounds_;
  BlockSource* const others_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_MODEL_INIT_H_
