// The weighted sum of updates in fixed point: int64 sums whose result depends neither on the order of arrival nor on the
// number of threads, in memory of 8 bytes per value however many clients there are.
#ifndef THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_
#define THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// The fixed-point rules of one round, fixed and journaled before anybody is invited.
struct FixedPoint {
  // Per tensor: values are multiples of 2^exponent. Integer and frozen tensors have an entry too, unused.
  std::vector<int> quantum_exponent;
  // Per tensor: the largest magnitude of a single value, 2^k.
  std::vector<int> bound_exponent;
  uint64_t max_weight = 1;  // of one update
  uint32_t max_updates = 1;
};

// Chooses quanta so that max_updates updates of max_weight and the largest allowed value cannot overflow 62 bits.
// `value_bounds` per tensor: largest magnitude to allow (the norm bound for trainable tensors; for float buffers what
// the server derives from their current values). INVALID_ARGUMENT, with the way out, if fewer than 24 bits would be left
// under a tensor's largest value.
absl::StatusOr<FixedPoint> ChooseFixedPoint(const ModelSpec& spec, const std::vector<double>& value_bounds,
                                            uint64_t max_weight, uint32_t max_updates);
std::string EncodeFixedPoint(const FixedPoint& fixed_point);
absl::StatusOr<FixedPoint> ParseFixedPoint(const std::string& bytes);

// Thread-safe: blocks have locks (one lock per group of blocks).
class Accumulator {
 public:
  Accumulator(const ModelSpec& spec, const FixedPoint& fixed_point);

  // INVALID_ARGUMENT, naming tensor, index, value and limit, if a value is not finite or out of bounds.
  absl::Status CheckFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values) const;
  // Adds weight * values to a block. The values have passed CheckFloats; weight <= max_weight.
  void AddFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values, uint64_t weight);
  // Integer buffers: keeps the maximum.
  void MaxInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values);
  // Counts a whole update: call once per update, after its last block.
  void CountUpdate(uint64_t weight);
  // Adds another accumulator of the same rules (partial sums of several servers).
  absl::Status MergeWith(const Accumulator& other);

  uint64_t total_weight() const;
  uint32_t updates() const;
  // The weighted mean of a block; exactly 0 where the sum is 0. FAILED_PRECONDITION if nothing was added.
  absl::Status MeanFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const;
  absl::Status MaxedInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_
