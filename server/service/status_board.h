// The run's status for all to see: the newest snapshot, and watchers that hear of each change.
#ifndef THINWIRE_SERVER_SERVICE_STATUS_BOARD_H_
#define THINWIRE_SERVER_SERVICE_STATUS_BOARD_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "server/store/journal.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

struct StatusSnapshot {
  v1::Status status;
  bool final = false;  // the run has ended and its model is exported: nothing will change any more
  Monotonic deadline = absl::InfiniteDuration();  // of the open round
  std::optional<RoundRow> open_round;             // as it stands now, fresher than its row in the journal
};

// Thread-safe.
class StatusBoard {
 public:
  // nullptr: the board is closed, nothing more will come.
  using Watcher = std::function<void(std::shared_ptr<const StatusSnapshot>)>;

  // Tells every watcher, on the caller's thread.
  void Publish(StatusSnapshot snapshot);
  // Never nullptr; an empty status before the first Publish.
  std::shared_ptr<const StatusSnapshot> Latest() const;
  // Calls `watcher` with the newest snapshot at once and with each later one; it must not block or call the board.
  uint64_t Watch(Watcher watcher);
  // No call to the watcher begins or goes on after this returns.
  void Unwatch(uint64_t id);
  // The server is leaving: tells every watcher, now and later.
  void Close();

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const StatusSnapshot> latest_ TW_GUARDED_BY(mutex_) = std::make_shared<StatusSnapshot>();
  std::map<uint64_t, Watcher> watchers_ TW_GUARDED_BY(mutex_);
  uint64_t next_id_ TW_GUARDED_BY(mutex_) = 1;
  bool closed_ TW_GUARDED_BY(mutex_) = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_STATUS_BOARD_H_
