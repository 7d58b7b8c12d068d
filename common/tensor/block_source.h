// Where the values of a model come from, block by block, so that no caller needs the whole model in memory.
#ifndef THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_
#define THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace thinwire {

// Reads are idempotent; blocks may be asked for more than once and in any order. Thread-compatible.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // Values [first, first + out.size()) of float tensor `tensor` (its index in the ModelSpec).
  virtual absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) = 0;
  virtual absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_
