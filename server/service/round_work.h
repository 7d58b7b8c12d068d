// What the workers of one round share: the rules, R, and the sum or, for a median, the columns.
#ifndef THINWIRE_SERVER_SERVICE_ROUND_WORK_H_
#define THINWIRE_SERVER_SERVICE_ROUND_WORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/tensor/model_spec.h"
#include "server/aggregate/accumulator.h"
#include "server/aggregate/folder.h"
#include "server/aggregate/update_columns.h"
#include "server/config/config.h"
#include "server/store/journal.h"
#include "server/store/model_store.h"

namespace thinwire {

// Immutable but for the aggregate; thread-safe. Workers hold it by shared_ptr, so that a fold that is still running
// when its round ends harms nothing.
class RoundWork {
 public:
  // `row` holds the journaled rules of the round. Errors: those of the model store, the journal's and the
  // accumulator's.
  // `models` must outlive it.
  static absl::StatusOr<std::shared_ptr<RoundWork>> Open(const RoundRow& row, ModelStore* models,
                                                         const ServerConfig& config);

  // Checks the spooled update at `path` and takes it into the aggregate. Errors as FoldUpdate; INTERNAL if the payload
  // that it started from cannot be had.
  absl::StatusOr<FoldReport> Fold(const UpdateRow& update, const std::string& path);

  uint32_t round() const { return round_; }
  // What folding took, of all updates so far.
  void AddFoldTime(absl::Duration time) {
    MutexLock lock(mutex_);
    fold_time_ += time;
  }
  absl::Duration fold_time() const {
    MutexLock lock(mutex_);
    return fold_time_;
  }
  const RoundAggregate& aggregate() const;

 private:
  RoundWork() = default;
  // R of the client that an update came from. Made again if it is not there, after a restart.
  absl::StatusOr<const StoredPayload*> BaseOf(const UpdateRow& update);

  ModelStore* models_ = nullptr;
  uint64_t run_seed_ = 0;
  uint64_t base_version_ = 0;
  uint32_t round_ = 0;
  double max_norm_ = 0;
  double clip_norm_ = 0;
  std::shared_ptr<const ModelSpec> spec_;    // of versions
  std::shared_ptr<const ModelSpec> update_;  // of what clients send
  std::optional<SubspacePlan> subspace_;
  std::optional<UpdateForm> form_;      // if clients send a part of an update, or code it whole
  std::optional<UpdateLayout> layout_;  // ... whole
  mutable Mutex mutex_;
  absl::Duration fold_time_ TW_GUARDED_BY(mutex_);
  // R, by variant: columns read it until the round ends.
  std::map<uint32_t, std::shared_ptr<const StoredPayload>> bases_ TW_GUARDED_BY(mutex_);
  // One of the two: sums of the whole model are not allocated where they are not needed.
  std::unique_ptr<Accumulator> accumulator_;
  std::unique_ptr<UpdateColumns> columns_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_ROUND_WORK_H_
