// What a new module starts from where nothing is drawn. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_INITIAL_VALUES_H_
#define THINWIRE_CLIENT_TRAIN_INITIAL_VALUES_H_

#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

#include "client/train/model_init.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Copies of the small tensors that a module itself gives values to: scales and shifts of norms, buffers. The source of
// FreshWeights for these; others must not be read. Thread-compatible.
class InitialValues : public BlockSource {
 public:
  // `module` is new; `spec` is its SpecOf.
  InitialValues(const torch::nn::Module& module, const ModelSpec& spec);

  // InitialBounds of the module.
  const std::vector<double>& bounds() const { return bounds_; }
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  const std::vector<double> bounds_;
  std::vector<at::Tensor> kept_;  // flat, on the CPU; undefined for what is drawn
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_INITIAL_VALUES_H_
