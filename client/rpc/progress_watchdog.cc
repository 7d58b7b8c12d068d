#include "client/rpc/progress_watchdog.h"

#include <utility>

namespace thinwire {

ProgressWatchdog::ProgressWatchdog(absl::Duration limit, std::function<void()> on_stall)
    : on_stall_(std::move(on_stall)), limit_(limit), deadline_(Clock::System()->Now() + limit) {
  thread_ = std::thread([this] { Watch(); });
}

ProgressWatchdog::~ProgressWatchdog() {
  {
    MutexLock lock(mutex_);
    done_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void ProgressWatchdog::Feed() {
  MutexLock lock(mutex_);
  deadline_ = Clock::System()->Now() + limit_;
}

void ProgressWatchdog::FeedFor(absl::Duration limit) {
  MutexLock lock(mutex_);
  limit_ = limit;
  deadline_ = Clock::System()->Now() + limit;
  wake_.NotifyAll();
}

bool ProgressWatchdog::stalled() const {
  MutexLock lock(mutex_);
  return stalled_;
}

void ProgressWatchdog::Watch() {
  {
    MutexLock lock(mutex_);
    while (!done_) {
      const absl::Duration left = deadline_ - Clock::System()->Now();
      if (left <= absl::ZeroDuration()) break;
      wake_.WaitFor(mutex_, absl::ToChronoNanoseconds(left));
    }
    if (done_) return;
    stalled_ = true;
  }
  on_stall_();
}

}  // namespace thinwire
