// One alarm clock: calls back when the armed time has come. The driver's only timer.
#ifndef THINWIRE_SERVER_SERVICE_ALARM_H_
#define THINWIRE_SERVER_SERVICE_ALARM_H_

#include <functional>
#include <thread>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe. Sleeps until the armed time or a new arming; there is no interval at which it looks.
class Alarm {
 public:
  // `ring` is called on the alarm's own thread and must not block; `clock` must outlive the alarm.
  Alarm(Clock* clock, std::function<void()> ring);
  ~Alarm();
  // Rings once at `when`, in place of whatever was armed before; InfiniteDuration: never.
  void Arm(Monotonic when);
  // No ringing after this returns. Idempotent.
  void Stop();

 private:
  void Loop();

  Clock* const clock_;
  const std::function<void()> ring_;
  Mutex mutex_;
  CondVar changed_;
  Monotonic when_ TW_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  bool stopping_ TW_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_ALARM_H_
