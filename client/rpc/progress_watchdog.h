// Notices when nothing has happened for too long, on a thread of its own.
#ifndef THINWIRE_CLIENT_RPC_PROGRESS_WATCHDOG_H_
#define THINWIRE_CLIENT_RPC_PROGRESS_WATCHDOG_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe. Lives as long as the stream that it watches.
class ProgressWatchdog {
 public:
  // Calls `on_stall` once, on its own thread, when `limit` has passed since the construction or the last Feed.
  ProgressWatchdog(absl::Duration limit, std::function<void()> on_stall);
  // Waits for on_stall if it is running.
  ~ProgressWatchdog();
  ProgressWatchdog(const ProgressWatchdog&) = delete;
  ProgressWatchdog& operator=(const ProgressWatchdog&) = delete;

  // Something has happened.
  void Feed();
  // Likewise; and the next wait may take longer or shorter.
  void FeedFor(absl::Duration limit);
  bool stalled() const;

 private:
  void Watch();

  const std::function<void()> on_stall_;
  mutable Mutex mutex_;
  CondVar wake_;
  absl::Duration limit_ TW_GUARDED_BY(mutex_);
  Monotonic deadline_ TW_GUARDED_BY(mutex_);
  bool stalled_ TW_GUARDED_BY(mutex_) = false;
  bool done_ TW_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_PROGRESS_WATCHDOG_H_
