// A model's values of one kind, mostly the trainable ones, as one vector: tensors in the model's order, each in its
// own. Which position of the vector lies where in the model, so that either can be walked block by block.
#ifndef THINWIRE_COMMON_SUBSPACE_TRAINABLE_VECTOR_H_
#define THINWIRE_COMMON_SUBSPACE_TRAINABLE_VECTOR_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Tensors of one role and type. Immutable, thread-safe.
class TensorVector {
 public:
  // Values [first, first + count) of tensor `tensor` (its index in the ModelSpec), `offset` values into a range.
  struct Piece {
    uint32_t tensor;
    uint64_t first;
    uint64_t count;
    uint64_t offset;
  };

  TensorVector(const ModelSpec& model, TensorRole role, DataType dtype);

  // Values in all of them.
  uint64_t size() const { return ends_.empty() ? 0 : ends_.back(); }
  // Values of a tensor that a Piece names.
  uint64_t size_of(uint32_t tensor) const;
  // Calls `visit` for the pieces of positions [first, first + count), in ascending order, until one fails.
  // INVALID_ARGUMENT if the range passes the end.
  absl::Status ForEachPiece(uint64_t first, uint64_t count, absl::FunctionRef<absl::Status(const Piece&)> visit) const;
  // Reads positions [first, first + out.size()) of float tensors from the model that `source` gives.
  absl::Status Read(BlockSource& source, uint64_t first, absl::Span<float> out) const;

 private:
  std::vector<uint32_t> tensors_;  // those that are not empty
  std::vector<uint64_t> ends_;     // position behind the last value of each
};

// The trainable tensors; size() is D.
class TrainableVector : public TensorVector {
 public:
  explicit TrainableVector(const ModelSpec& model) : TensorVector(model, TensorRole::kTrainable, DataType::kFloat32) {}
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_TRAINABLE_VECTOR_H_
