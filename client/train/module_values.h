// The values of a LibTorch module block by block, in whatever form they are held. Includes LibTorch: only for files of
// this room.
#ifndef THINWIRE_CLIENT_TRAIN_MODULE_VALUES_H_
#define THINWIRE_CLIENT_TRAIN_MODULE_VALUES_H_

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/session/trainer.h"
#include "client/train/packed_matrices.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Reads must start at multiples of PackedMatrix::kBlock and end there or at the tensor's end. Not thread-safe.
class ModuleValues : public BlockSource {
 public:
  // `spec` is the module's (SpecOf). `packed` holds its matrices; nullptr if they are plain.
  ModuleValues(const torch::nn::Module& module, ModelSpec spec, std::shared_ptr<PackedMatrices> packed);

  // Takes all values of `model`, an error of which is returned as it is. Packed matrices are held as `held` says from
  // here on: in its format, or in FP32 where it does not code them. Values that come in frames of that format are held
  // as they came, others rounded to nearest; `rounding` is that of the steps which follow.
  absl::Status Load(BlockSource& model, const HeldWeights& held, PackedFormat::Rounding rounding);
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;
  // INVALID_ARGUMENT naming the first tensor with a value that is not finite.
  absl::Status CheckFinite() const;

  const ModelSpec& spec() const { return spec_; }
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  PackedMatrices* packed() const { return packed_.get(); }
  bool IsPacked(uint32_t tensor) const { return packed_ != nullptr && packed_->Holds(tensors_[tensor]); }

 private:
  absl::Status Hold(const HeldWeights& held, PackedFormat::Rounding rounding);
  std::vector<bool> ExactBlocks(uint32_t tensor, const HeldWeights& held) const;
  absl::Status LoadBlock(BlockSource& model, uint32_t tensor, uint64_t first, uint32_t size);
  PackedMatrix& MatrixOf(uint32_t tensor) const { return packed_->matrix(packed_->IndexOf(tensors_[tensor])); }
  at::Tensor Part(uint32_t tensor, uint64_t first, size_t size) const;

  const ModelSpec spec_;
  const std::vector<at::Tensor> tensors_;
  const std::shared_ptr<PackedMatrices> packed_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_MODULE_VALUES_H_
