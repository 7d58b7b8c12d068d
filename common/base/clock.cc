#include "common/base/clock.h"

#include <chrono>

namespace thinwire {
namespace {

class SystemClock : public Clock {
 public:
  Monotonic Now() const override { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }
  absl::Time WallTime() const override { return absl::Now(); }
};

}  // namespace

Clock* Clock::System() {
  static SystemClock* const clock = new SystemClock;
  return clock;
}

}  // namespace thinwire
