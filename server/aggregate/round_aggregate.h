// What the updates of a round come to, block by block: the seam between folding them and writing a new version.
#ifndef THINWIRE_SERVER_AGGREGATE_ROUND_AGGREGATE_H_
#define THINWIRE_SERVER_AGGREGATE_ROUND_AGGREGATE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace thinwire {

// Accumulator is the weighted mean, UpdateColumns the coordinate median and the trimmed mean. The result does not
// depend on the order in which updates came. Reads are thread-safe, and cover blocks that start at a multiple of
// kBlockValues and end there or with the tensor.
class RoundAggregate {
 public:
  virtual ~RoundAggregate() = default;
  // Updates that count.
  virtual uint32_t updates() const = 0;
  // Float tensors relative to R; integer tensors the maximum. FAILED_PRECONDITION without updates; INTERNAL if an
  // update that was checked cannot be read any more.
  virtual absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const = 0;
  virtual absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_ROUND_AGGREGATE_H_
