#include "server/service/status_board.h"

#include <utility>

namespace thinwire {

// Watchers are called under the lock, so that Unwatch can promise silence.

void StatusBoard::Publish(StatusSnapshot snapshot) {
  MutexLock lock(mutex_);
  latest_ = std::make_shared<const StatusSnapshot>(std::move(snapshot));
  if (closed_) return;
  for (const auto& [id, watcher] : watchers_) watcher(latest_);
}

std::shared_ptr<const StatusSnapshot> StatusBoard::Latest() const {
  MutexLock lock(mutex_);
  return latest_;
}

uint64_t StatusBoard::Watch(Watcher watcher) {
  MutexLock lock(mutex_);
  watcher(closed_ ? nullptr : latest_);
  watchers_.emplace(next_id_, std::move(watcher));
  return next_id_++;
}

void StatusBoard::Unwatch(uint64_t id) {
  MutexLock lock(mutex_);
  watchers_.erase(id);
}

void StatusBoard::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  for (const auto& [id, watcher] : watchers_) watcher(nullptr);
}

}  // namespace thinwire
