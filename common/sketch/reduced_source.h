// A model of which a part is tensor 0, whatever that is, and buffers follow (update_specs.h).
#ifndef THINWIRE_COMMON_SKETCH_REDUCED_SOURCE_H_
#define THINWIRE_COMMON_SKETCH_REDUCED_SOURCE_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Tensor 0 is a table in memory, the others are buffers of the model. Thread-compatible.
class ReducedSource : public BlockSource {
 public:
  // `source`, which must outlive it, gives the values of `model`.
  ReducedSource(std::vector<float> table, const ModelSpec& model, BlockSource& source)
      : table_(std::move(table)), tensors_(TensorsOfReducedUpdate(model)), source_(source) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    if (tensor > 0) return source_.ReadFloats(tensors_[tensor], first, out);
    std::copy_n(table_.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return source_.ReadInts(tensors_[tensor], first, out);
  }

 private:
  const std::vector<float> table_;
  const std::vector<uint32_t> tensors_;
  BlockSource& source_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SKETCH_REDUCED_SOURCE_H_
