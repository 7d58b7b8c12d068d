// A rate limit in bytes a second that lets short bursts pass.
#ifndef THINWIRE_COMMON_BASE_TOKEN_BUCKET_H_
#define THINWIRE_COMMON_BASE_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "common/base/clock.h"

namespace thinwire {

// The bucket starts full. Not thread-safe.
class TokenBucket {
 public:
  TokenBucket() = default;
  // 0 = no limit. The bucket holds 50 ms worth of the rate, at least one Ethernet frame.
  void SetRate(uint64_t bytes_per_second, Monotonic now) {
    SetRate(bytes_per_second, std::max<uint64_t>(bytes_per_second / 20, 1500), now);
  }
  // The bucket holds `capacity` bytes.
  void SetRate(uint64_t bytes_per_second, uint64_t capacity, Monotonic now) {
    rate_ = static_cast<double>(bytes_per_second);
    capacity_ = static_cast<double>(capacity);
    tokens_ = capacity_;
    filled_at_ = now;
  }

  // Bytes that may pass at `now`.
  uint64_t Available(Monotonic now) {
    if (rate_ == 0) return std::numeric_limits<uint64_t>::max();
    tokens_ = std::min(capacity_, tokens_ + rate_ * absl::ToDoubleSeconds(now - filled_at_));
    filled_at_ = now;
    return static_cast<uint64_t>(tokens_);
  }

  // `bytes` at most what Available returned.
  void Spend(uint64_t bytes) {
    if (rate_ != 0) tokens_ -= static_cast<double>(bytes);
  }

  // Time from the last call of Available until a quarter of the bucket is there: fewer, larger writes.
  absl::Duration Refill() const { return Refill(capacity_ / 4); }
  // Until `bytes` are there.
  absl::Duration Refill(double bytes) const {
    if (rate_ == 0) return absl::ZeroDuration();
    return absl::Seconds(std::max(0.0, bytes - tokens_) / rate_);
  }

 private:
  double rate_ = 0;
  double capacity_ = 0;
  double tokens_ = 0;
  Monotonic filled_at_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_TOKEN_BUCKET_H_
