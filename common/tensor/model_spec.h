// What a model is made of: named tensors in a fixed order. No values, no LibTorch.
#ifndef THINWIRE_COMMON_TENSOR_MODEL_SPEC_H_
#define THINWIRE_COMMON_TENSOR_MODEL_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/digest.h"

namespace thinwire {

enum class DataType : uint8_t { kFloat32 = 1, kInt64 = 2 };

// Trainable tensors go through the exchange plan's codec. Buffers (BatchNorm statistics, counters) are state that is
// not trained: float buffers are averaged, integer buffers take the maximum. Frozen tensors never
// change: they travel down once and never up.
enum class TensorRole : uint8_t { kTrainable = 1, kBuffer = 2, kFrozen = 3 };

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;  // empty: a scalar
  DataType dtype = DataType::kFloat32;
  TensorRole role = TensorRole::kTrainable;

  // Product of the shape; ModelSpec::Create has checked that it does not overflow.
  uint64_t count() const;
};

// Values of one tensor are coded in blocks of this many, the last one shorter. A block is the unit of encoding,
// hashing, folding and resuming; it is part of the wire format.
constexpr uint32_t kBlockValues = 65536;

// Immutable after Create; thread-safe.
class ModelSpec {
 public:
  static constexpr size_t kMaxTensors = 100'000;
  static constexpr size_t kMaxNameLength = 256;
  static constexpr size_t kMaxDimensions = 16;
  static constexpr uint64_t kMaxValues = uint64_t{1} << 40;

  // An empty model.
  ModelSpec() = default;
  // INVALID_ARGUMENT, naming the tensor, if a name is empty, repeated or too long, a shape has a negative size or too
  // many values, an integer tensor is trainable, or a limit above is passed.
  static absl::StatusOr<ModelSpec> Create(std::vector<TensorSpec> tensors);

  const std::vector<TensorSpec>& tensors() const { return tensors_; }
  // Values in all tensors of a role.
  uint64_t count(TensorRole role) const;
  // Values in all tensors.
  uint64_t total_count() const;
  // SHA-256 of the canonical text: one line "name dtype role d0,d1,...\n" per tensor, dtype "f32" or "i64", role
  // "trainable", "buffer" or "frozen". Two machines work on the same model if and only if the ids are equal.
  const Digest& id() const { return id_; }

  friend bool operator==(const ModelSpec& a, const ModelSpec& b) { return a.id_ == b.id_; }
  friend bool operator!=(const ModelSpec& a, const ModelSpec& b) { return !(a == b); }

 private:
  std::vector<TensorSpec> tensors_;
  Digest id_;
};

// Blocks of a tensor with `count` values (a tensor without values has none).
inline uint64_t BlockCount(uint64_t count) { return (count + kBlockValues - 1) / kBlockValues; }
// Values in block `block` of a tensor with `count` values.
inline uint32_t BlockSize(uint64_t count, uint64_t block) {
  const uint64_t first = block * kBlockValues;
  return static_cast<uint32_t>(count - first < kBlockValues ? count - first : kBlockValues);
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_MODEL_SPEC_H_
