#include "client/session/sleeper.h"

#include <algorithm>

#include "common/base/clock.h"

namespace thinwire {

bool RealSleeper::Sleep(absl::Duration duration) {
  // A bounded wait per turn: an infinite duration must not overflow the condition variable's clock.
  const Monotonic end = Clock::System()->Now() + duration;
  MutexLock lock(mutex_);
  while (!interrupted_) {
    const absl::Duration left = end - Clock::System()->Now();
    if (left <= absl::ZeroDuration()) return true;
    wake_.WaitFor(mutex_, absl::ToChronoNanoseconds(std::min(left, absl::Hours(1))));
  }
  return false;
}

void RealSleeper::Interrupt() {
  MutexLock lock(mutex_);
  interrupted_ = true;
  wake_.NotifyAll();
}

}  // namespace thinwire
