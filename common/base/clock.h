// Time is passed in: whatever needs it takes a Clock*.
#ifndef THINWIRE_COMMON_BASE_CLOCK_H_
#define THINWIRE_COMMON_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace thinwire {

// A point on the monotonic time line: time since an arbitrary start of the process. Deadlines are of this type, so that
// a wall clock that jumps fires none.
using Monotonic = absl::Duration;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic Now() const = 0;
  // For people and for records; may jump.
  virtual absl::Time WallTime() const = 0;

  // The machine's clocks. Lives as long as the process.
  static Clock* System();
};

// A clock that a test moves by hand. Not thread-safe.
class FakeClock : public Clock {
 public:
  Monotonic Now() const override { return now_; }
  absl::Time WallTime() const override { return absl::UnixEpoch() + now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  Monotonic now_ = absl::ZeroDuration();
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_CLOCK_H_
