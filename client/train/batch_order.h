// In which order a local data set is walked: shuffled anew each epoch, the same for the same seed on every machine.
#ifndef THINWIRE_CLIENT_TRAIN_BATCH_ORDER_H_
#define THINWIRE_CLIENT_TRAIN_BATCH_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

// Endless batches of sample indices; each epoch visits each sample once. The last batch of an epoch may be smaller, but
// not below `min_batch`: fewer samples than that join the batch before (batch statistics need two samples). Not
// thread-safe.
class BatchOrder {
 public:
  // samples >= min_batch, batch >= min_batch, min_batch >= 1.
  BatchOrder(size_t samples, size_t batch, size_t min_batch, uint64_t seed);

  uint64_t batches_per_epoch() const { return batches_; }
  // The next batch's indices, valid until the next call.
  absl::Span<const int64_t> Next();

 private:
  const size_t batch_;
  const uint64_t seed_;
  const uint64_t batches_;
  uint64_t epoch_ = 0;
  uint64_t next_ = 0;  // batch within the epoch
  std::vector<int64_t> order_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_BATCH_ORDER_H_
