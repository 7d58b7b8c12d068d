// How far a transfer or a training has got: for the log now and then, for the server with each heartbeat.
#ifndef THINWIRE_CLIENT_SESSION_SESSION_PROGRESS_H_
#define THINWIRE_CLIENT_SESSION_SESSION_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/session/session_observer.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace thinwire {

// "3 of 4.2 MB, 350 kB/s, 8 s left". `elapsed` is the time that `done - start` bytes took.
std::string DescribeTransfer(uint64_t start, uint64_t done, uint64_t total, absl::Duration elapsed);
// "17 B", "4.2 kB", "114.3 MB": three digits, powers of 1000.
std::string DescribeBytes(uint64_t bytes);

// Keeps the newest line; passes one in `interval` on to the observer. Thread-safe.
class SessionProgress {
 public:
  // `clock` and `observer` must outlive it.
  SessionProgress(const Clock* clock, SessionObserver* observer, absl::Duration interval)
      : clock_(clock), observer_(observer), interval_(interval) {}

  // A new state begins: its first progress line comes an interval later.
  void Begin(SessionState state, const std::string& detail);
  void Update(const std::string& line);
  // A transfer that began at byte `start` when the state began.
  void Transfer(uint64_t start, uint64_t done, uint64_t total);
  // "training, round 3: step 30 of 188", for the heartbeat.
  std::string Activity() const;

 private:
  bool Due();

  const Clock* const clock_;
  SessionObserver* const observer_;
  const absl::Duration interval_;
  mutable Mutex mutex_;
  std::string headline_ TW_GUARDED_BY(mutex_);
  std::string line_ TW_GUARDED_BY(mutex_);
  Monotonic begun_ TW_GUARDED_BY(mutex_);
  Monotonic reported_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_SESSION_PROGRESS_H_
