// How many bytes a message carries: a quarter second of the link's rate, so that a slow link that keeps breaking still
// gets on, and a fast one is not slowed by small messages.
#ifndef THINWIRE_CLIENT_RPC_CHUNK_SIZER_H_
#define THINWIRE_CLIENT_RPC_CHUNK_SIZER_H_

#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace thinwire {

// Measures one direction of a link, one stream at a time. Thread-safe.
class ChunkSizer {
 public:
  static constexpr size_t kSmallest = 4 * 1024;
  static constexpr size_t kLargest = 256 * 1024;
  // The beginning of a stream fills flow-control windows and socket buffers, at whatever rate: it is not measured.
  static constexpr uint64_t kBuffered = 64 * 1024;

  // `first`: the size while no rate is known.
  explicit ChunkSizer(size_t first) : first_(first) {}

  // At most the server's limit, from now on.
  void SetLimit(size_t limit);
  size_t Next() const;

  void BeginStream(Monotonic now);
  // `bytes` more of the stream have passed by `now`.
  void Transferred(size_t bytes, Monotonic now);
  // Nothing passed for so long that the stream was given up: chunks of a quarter of the size from now on.
  void Stalled();

 private:
  size_t NextLocked() const TW_REQUIRES(mutex_);

  const size_t first_;
  mutable Mutex mutex_;
  size_t limit_ TW_GUARDED_BY(mutex_) = kLargest;
  double rate_ TW_GUARDED_BY(mutex_) = 0;  // bytes/s; 0: not known
  uint64_t stream_bytes_ TW_GUARDED_BY(mutex_) = 0;
  uint64_t measured_bytes_ TW_GUARDED_BY(mutex_) = 0;
  Monotonic measured_since_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_CHUNK_SIZER_H_
