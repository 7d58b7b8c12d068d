// The weighted sum of updates in fixed point: int64 sums whose result depends neither on the order of arrival nor on
// the number of threads, in memory of 8 bytes per value however many clients there are.
#ifndef THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_
#define THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "common/base/zeroed_memory.h"
#include "common/tensor/model_spec.h"
#include "server/aggregate/fixed_point.h"
#include "server/aggregate/round_aggregate.h"

namespace thinwire {

// Thread-safe: blocks have locks, shared by every 64th block. Memory is touched by the first addition only, so an
// accumulator that waits for its first update costs nothing.
class Accumulator : public RoundAggregate {
 public:
  // RESOURCE_EXHAUSTED if there is no memory for it. `fixed_point` has an entry for each tensor of `spec`.
  static absl::StatusOr<std::unique_ptr<Accumulator>> Create(const ModelSpec& spec, const FixedPoint& fixed_point);

  // INVALID_ARGUMENT, naming tensor, index, value and limit, if a value is not finite or out of bounds.
  absl::Status CheckFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values) const;
  // Adds weight * values to a block. The values have passed CheckFloats; 0 < weight <= max_weight. Rounds to the
  // nearest multiple of the quantum, ties to even.
  void AddFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values, uint64_t weight);
  // The same for values here and there in a tensor; indices ascend.
  void AddEntries(uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float> values, uint64_t weight);
  // Integer buffers: keeps the maximum.
  void MaxInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values);
  // Takes one of max_updates places, before an update's first block: RESOURCE_EXHAUSTED if there is none left,
  // INVALID_ARGUMENT for a weight of 0 or over max_weight. Nothing else keeps the sums from overflowing.
  absl::Status Admit(uint64_t weight);
  // Counts an admitted update, after its last block.
  void CountUpdate(uint64_t weight);
  // An admitted update could not be added to its end: the sums are void, and every later use says so with
  // FAILED_PRECONDITION. The round's updates must be folded again into a new accumulator.
  void Spoil();
  // Adds another accumulator of the same rules (partial sums of several servers). Nobody may be adding to `other`.
  // INVALID_ARGUMENT if the model or the rules differ, or the updates together are more than max_updates.
  absl::Status MergeWith(const Accumulator& other);

  uint64_t total_weight() const;
  uint32_t updates() const override;
  const FixedPoint& fixed_point() const { return fixed_point_; }
  const ModelSpec& spec() const { return spec_; }
  // The weighted mean of a block; exactly 0 where the sum is 0. FAILED_PRECONDITION if no update was counted, or
  // the sums are void.
  absl::Status MeanFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const;
  // The maximum over all updates.
  absl::Status MaxedInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const;
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const override {
    return MeanFloats(tensor, first, out);
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const override {
    return MaxedInts(tensor, first, out);
  }

 private:
  static constexpr size_t kLocks = 64;

  Accumulator(const ModelSpec& spec, const FixedPoint& fixed_point);
  Mutex& LockOf(uint32_t tensor, uint64_t first) const;
  int64_t* At(uint32_t tensor, uint64_t first) const {
    return static_cast<int64_t*>(values_.data()) + offsets_[tensor] + first;
  }
  absl::Status CheckReadable() const;
  void MergeTensor(uint32_t tensor, const Accumulator& other);

  const ModelSpec spec_;
  const FixedPoint fixed_point_;
  std::vector<uint64_t> offsets_;  // of each tensor's first value in values_; frozen tensors have none
  uint64_t size_ = 0;              // values in all
  mutable std::array<Mutex, kLocks> locks_;
  // Floats: sums in quanta. Integers: maximum + 2^63 modulo 2^64, so that untouched memory means the smallest integer.
  ZeroedMemory values_;  // int64_t; each block guarded by its lock
  mutable Mutex counts_;
  uint64_t total_weight_ TW_GUARDED_BY(counts_) = 0;
  uint32_t admitted_ TW_GUARDED_BY(counts_) = 0;
  uint32_t updates_ TW_GUARDED_BY(counts_) = 0;
  bool spoiled_ TW_GUARDED_BY(counts_) = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_ACCUMULATOR_H_
