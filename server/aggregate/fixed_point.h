// The fixed-point rules of one round: which power-of-two quantum each tensor's updates are counted in, chosen so that
// no sum can overflow. With them, sums do not depend on the order of arrival or the number of threads.
#ifndef THINWIRE_SERVER_AGGREGATE_FIXED_POINT_H_
#define THINWIRE_SERVER_AGGREGATE_FIXED_POINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Fixed and journaled before anybody is invited.
struct FixedPoint {
  // Per tensor: values are multiples of 2^exponent. Integer and frozen tensors have an entry too, unused.
  std::vector<int> quantum_exponent;
  // Per tensor: the largest magnitude of a single value, 2^k.
  std::vector<int> bound_exponent;
  uint64_t max_weight = 1;  // of one update
  uint32_t max_updates = 1;
};

// Bits under a tensor's largest value: at least the 24 of a float's significand, at most what a double holds exactly
// with room to round.
constexpr int kMinValueBits = 24;
constexpr int kMaxValueBits = 50;

// Chooses quanta so that max_updates updates of max_weight and the largest allowed value stay within 2^62.
// `value_bounds` per tensor: largest magnitude to allow (see ValueBounds). INVALID_ARGUMENT, with the way out, if fewer
// than 24 bits would be left under a tensor's largest value.
absl::StatusOr<FixedPoint> ChooseFixedPoint(const ModelSpec& spec, const std::vector<double>& value_bounds,
                                            uint64_t max_weight, uint32_t max_updates);

// The bounds to hand to ChooseFixedPoint: `max_norm` for trainable tensors (no single value exceeds the norm), and for
// float buffers 16 times their largest current magnitude, at least 65,536: statistics may grow from their initial 0 and
// 1 to the variance of a first layer's unscaled images within a round, but a bound without need costs the small ones
// their precision.
absl::StatusOr<std::vector<double>> ValueBounds(const ModelSpec& spec, BlockSource& weights, double max_norm);

// INVALID_ARGUMENT, naming tensor, index, value and limit, if a value is not finite or out of the tensor's bound.
// `name` is the tensor's, `first` the index of the first value.
absl::Status CheckBounds(const FixedPoint& fixed_point, uint32_t tensor, const std::string& name, uint64_t first,
                         absl::Span<const float> values);
// Whether a round that has admitted `admitted` updates takes one more: RESOURCE_EXHAUSTED if all max_updates places are
// taken, INVALID_ARGUMENT for a weight of 0 or over max_weight.
absl::Status CheckAdmission(const FixedPoint& fixed_point, uint64_t weight, uint32_t admitted);

// For the journal.
std::string EncodeFixedPoint(const FixedPoint& fixed_point);
// DATA_LOSS if `bytes` are not what EncodeFixedPoint makes.
absl::StatusOr<FixedPoint> ParseFixedPoint(const std::string& bytes);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_FIXED_POINT_H_
