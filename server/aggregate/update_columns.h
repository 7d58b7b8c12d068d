// The coordinate median or trimmed mean of a round's updates, by columns over their spool files: when a block of the
// new version is wanted, that block of every update is decoded, and each parameter's values are sorted.
//
// What it costs, against the sums of a mean: memory of 4 bytes per value of one block and update (256 KiB an update,
// whatever the model), instead of 8 bytes per value of the model; the same two reads of every update, but the second
// one only when the round closes, with every update's file open until then; and a sort of as many values as there are
// updates for each parameter.
#ifndef THINWIRE_SERVER_AGGREGATE_UPDATE_COLUMNS_H_
#define THINWIRE_SERVER_AGGREGATE_UPDATE_COLUMNS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "common/tensor/model_spec.h"
#include "server/aggregate/aggregator.h"
#include "server/aggregate/fixed_point.h"
#include "server/aggregate/folder.h"
#include "server/aggregate/round_aggregate.h"
#include "server/aggregate/update_reader.h"

namespace thinwire {

// Thread-safe; reads are taken one at a time. What a request's `base` points to must live as long as this. Files that
// are removed meanwhile stay readable, since they are open.
class UpdateColumns final : public RoundAggregate {
 public:
  // `options` are robust. `fixed_point` is the round's: its bounds and places hold as for a mean, its quanta play no
  // part.
  UpdateColumns(const ModelSpec& spec, const FixedPoint& fixed_point, const AggregatorOptions& options)
      : spec_(spec), fixed_point_(fixed_point), options_(options) {}

  // Checks an update as FoldUpdate does and takes it in; its weight counts for nothing but must be one. Errors as
  // FoldUpdate, and after any the update does not count.
  absl::StatusOr<FoldReport> Add(const FoldRequest& request);

  uint32_t updates() const override;
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const override;

  // Of values, held at this moment.
  size_t buffer_bytes() const;

 private:
  // Columns sorted at once: with a hundred updates their keys fit the second-level cache.
  static constexpr size_t kTile = 512;

  struct Member {
    UpdateReader reader;
    float factor;  // of trainable values: clipping
  };

  // Reads one block of one update into block_.
  absl::Status ReadBlock(const Member& member, uint32_t tensor, uint64_t first, size_t size) const TW_REQUIRES(mutex_);
  void Combine(size_t columns, absl::Span<float> out) const TW_REQUIRES(mutex_);

  const ModelSpec spec_;
  const FixedPoint fixed_point_;
  const AggregatorOptions options_;
  mutable Mutex mutex_;
  std::vector<Member> members_ TW_GUARDED_BY(mutex_);
  mutable UpdateBlock block_ TW_GUARDED_BY(mutex_);
  mutable std::vector<int32_t> keys_ TW_GUARDED_BY(mutex_);  // one row per update
  mutable std::vector<int32_t> tile_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_UPDATE_COLUMNS_H_
