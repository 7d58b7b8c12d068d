// Waiting that can be cut short: the only way a session lets time pass.
#ifndef THINWIRE_CLIENT_SESSION_SLEEPER_H_
#define THINWIRE_CLIENT_SESSION_SLEEPER_H_

#include "absl/time/time.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe. One thread sleeps, any thread interrupts.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  // True after `duration`; false at once if interrupted, now or before.
  virtual bool Sleep(absl::Duration duration) = 0;
  // Ends a sleep under way and every later one.
  virtual void Interrupt() = 0;
};

// Sleeps on the machine's monotonic clock.
class RealSleeper : public Sleeper {
 public:
  bool Sleep(absl::Duration duration) override;
  void Interrupt() override;

 private:
  Mutex mutex_;
  CondVar wake_;
  bool interrupted_ TW_GUARDED_BY(mutex_) = false;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_SLEEPER_H_
