// How long to wait before the next try: exponential backoff with full jitter, inside the window that the server gave
// (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#ifndef THINWIRE_CLIENT_SESSION_RETRY_POLICY_H_
#define THINWIRE_CLIENT_SESSION_RETRY_POLICY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "client/session/federation_api.h"
#include "common/base/rng.h"

namespace thinwire {

// Thread-compatible. The same seed and the same calls give the same delays.
class RetryPolicy {
 public:
  // The shortest and longest waits that any window may ask for; a window outside is cut to them.
  static constexpr absl::Duration kShortest = absl::Milliseconds(1);
  static constexpr absl::Duration kLongest = absl::Minutes(10);

  explicit RetryPolicy(uint64_t seed) : random_(seed) {}

  void SetWindow(const RetryWindow& window);
  // Counts one more failure in a row and gives the wait before the next try, uniform in
  // [min, min(max, min * 2^failures)].
  absl::Duration NextDelay();
  // The wait after an answer that was no failure but asks to come back: as after a first failure, within `window`.
  absl::Duration ComeBackDelay(const RetryWindow& window);
  // The last try succeeded.
  void Reset() { failures_ = 0; }
  uint32_t failures() const { return failures_; }

 private:
  absl::Duration Draw(const RetryWindow& window, uint32_t failures);

  RandomStream random_;
  RetryWindow window_;
  uint32_t failures_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_RETRY_POLICY_H_
