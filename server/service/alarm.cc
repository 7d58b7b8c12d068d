#include "server/service/alarm.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace thinwire {
namespace {

// wait_for overflows on very long times; waking once a day for nothing is harmless.
constexpr absl::Duration kLongestWait = absl::Hours(24);

}  // namespace

Alarm::Alarm(Clock* clock, std::function<void()> ring)
    : clock_(clock), ring_(std::move(ring)), thread_([this] { Loop(); }) {}

Alarm::~Alarm() { Stop(); }

void Alarm::Arm(Monotonic when) {
  {
    MutexLock lock(mutex_);
    when_ = when;
  }
  changed_.NotifyOne();
}

void Alarm::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyOne();
  if (thread_.joinable()) thread_.join();
}

void Alarm::Loop() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      for (;;) {
        if (stopping_) return;
        const absl::Duration left = when_ - clock_->Now();
        if (left <= absl::ZeroDuration()) break;
        if (left == absl::InfiniteDuration()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitFor(mutex_, absl::ToChronoNanoseconds(std::min(left, kLongestWait)));
        }
      }
      when_ = absl::InfiniteDuration();
    }
    ring_();
  }
}

}  // namespace thinwire
