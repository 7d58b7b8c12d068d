// Uploads at no more than a given rate, so that a client leaves room on a thin wire for whoever else is on it.
#ifndef THINWIRE_CLIENT_SESSION_UPLINK_PACER_H_
#define THINWIRE_CLIENT_SESSION_UPLINK_PACER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "client/session/sleeper.h"
#include "common/base/clock.h"
#include "common/base/token_bucket.h"

namespace thinwire {

// What passes in t seconds is at most t times the rate, and a quarter second's worth (or two of the smallest pieces,
// 176 bytes); counted in bytes of payload and what gRPC and HTTP/2 add to a message, not what TCP, IP and TLS add.
// Thread-compatible.
class UplinkPacer {
 public:
  // 0: no limit. All must outlive it; the sleeper is that of the thread that calls.
  UplinkPacer(uint64_t bits_per_second, const Clock* clock, Sleeper* sleeper);
  // How many of at most `max` bytes to hand over at once: an eighth of a second's worth.
  size_t Piece(size_t max) const;
  // Waits until `bytes`, at most Piece's answer, may go. CANCELLED if the sleeper is interrupted.
  absl::Status Await(size_t bytes);

 private:
  const uint64_t bytes_per_second_;
  const size_t piece_;  // 0: no limit
  const Clock* const clock_;
  Sleeper* const sleeper_;
  TokenBucket bucket_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_UPLINK_PACER_H_
