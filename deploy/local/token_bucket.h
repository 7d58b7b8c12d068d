// A rate limit in bytes a second that lets short bursts pass.
#ifndef THINWIRE_DEPLOY_LOCAL_TOKEN_BUCKET_H_
#define THINWIRE_DEPLOY_LOCAL_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"
#include "common/base/clock.h"

namespace thinwire {

// The bucket starts full and holds 50 ms worth of its rate, at least one Ethernet frame. Not thread-safe.
class TokenBucket {
 public:
  TokenBucket() = default;
  // 0 = no limit.
  void SetRate(uint64_t bytes_per_second, Monotonic now) {
    rate_ = static_cast<double>(bytes_per_second);
    capacity_ = std::max(rate_ / 20, 1500.0);
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
  absl::Duration Refill() const {
    if (rate_ == 0) return absl::ZeroDuration();
    return absl::Seconds(std::max(0.0, capacity_ / 4 - tokens_) / rate_);
  }

 private:
  double rate_ = 0;
  double capacity_ = 0;
  double tokens_ = 0;
  Monotonic filled_at_;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_TOKEN_BUCKET_H_
