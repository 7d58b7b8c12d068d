// In which order recordings are walked: shuffled anew each epoch, with those of about one length together, so that
// little of a batch is padding. The same for the same seed on every machine.
#ifndef THINWIRE_CLIENT_TRAIN_LENGTH_BATCHES_H_
#define THINWIRE_CLIENT_TRAIN_LENGTH_BATCHES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

// Endless batches of sample indices; each epoch visits each sample once, and all its batches have `batch` samples but
// one, which may have fewer. Each epoch: samples shuffled, cut into windows of eight batches, each window sorted by
// length and cut into batches, the batches shuffled. Not thread-safe.
class LengthBatches {
 public:
  // At least one length; batch >= 1.
  LengthBatches(std::vector<size_t> lengths, size_t batch, uint64_t seed);

  uint64_t batches_per_epoch() const { return (lengths_.size() + batch_ - 1) / batch_; }
  // The next batch's indices.
  absl::Span<const uint32_t> Next();

 private:
  static constexpr size_t kWindow = 8;  // batches
  void StartEpoch();

  const std::vector<size_t> lengths_;
  const size_t batch_;
  const uint64_t seed_;
  uint64_t epoch_ = 0;
  size_t next_ = 0;
  std::vector<std::vector<uint32_t>> epoch_batches_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_LENGTH_BATCHES_H_
