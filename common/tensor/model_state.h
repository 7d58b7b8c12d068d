// All values of a model in memory: what a client trains.
#ifndef THINWIRE_COMMON_TENSOR_MODEL_STATE_H_
#define THINWIRE_COMMON_TENSOR_MODEL_STATE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// One vector per tensor, in the ModelSpec's order; `floats[i]` is empty for an integer tensor and the other way round.
// Thread-compatible.
struct ModelState {
  ModelSpec spec;
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<int64_t>> ints;

  ModelState() = default;
  // All values zero.
  explicit ModelState(ModelSpec model) : spec(std::move(model)), floats(spec.tensors().size()), ints(floats.size()) {
    for (size_t i = 0; i < floats.size(); ++i) {
      const TensorSpec& tensor = spec.tensors()[i];
      if (tensor.dtype == DataType::kFloat32) floats[i].resize(tensor.count());
      if (tensor.dtype == DataType::kInt64) ints[i].resize(tensor.count());
    }
  }
};

// Reads a ModelState, which must outlive it and not change meanwhile.
class ModelStateSource : public BlockSource {
 public:
  explicit ModelStateSource(const ModelState& state) : state_(state) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    return Copy(state_.floats[tensor], first, out);
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return Copy(state_.ints[tensor], first, out);
  }

 private:
  template <typename T>
  static absl::Status Copy(const std::vector<T>& values, uint64_t first, absl::Span<T> out) {
    if (first > values.size() || out.size() > values.size() - first) {
      return absl::OutOfRangeError("block lies outside its tensor");
    }
    std::copy_n(values.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
    return absl::OkStatus();
  }
  const ModelState& state_;
};

// All values of a model, block by block, into `state`, whose spec is the model's. Errors of `source` are returned as
// they are; `state` is then partly overwritten.
absl::Status ReadModel(BlockSource& source, ModelState* state);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_MODEL_STATE_H_
