// Where the values of a model come from, block by block, so that no caller needs the whole model in memory.
#ifndef THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_
#define THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace thinwire {

// Reads are idempotent; blocks may be asked for more than once and in any order. Thread-compatible.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // Values [first, first + out.size()) of float tensor `tensor` (its index in the ModelSpec).
  virtual absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) = 0;
  virtual absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) = 0;
  // The frame (docs/wire_format.md) in which the values of the block that starts at `first` came, for whoever can hold
  // them as they are coded. False if they came in none: ReadFloats has them.
  virtual absl::StatusOr<bool> ReadFrame(uint32_t /*tensor*/, uint64_t /*first*/, std::string* /*frame*/) {
    return false;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_BLOCK_SOURCE_H_
