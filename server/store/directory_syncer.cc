#include "server/store/directory_syncer.h"

#include "common/base/file.h"

namespace thinwire {

absl::Status DirectorySyncer::Sync() {
  mutex_.Lock();
  // A sync that is under way may have begun before the caller's change: only the next one counts.
  const uint64_t wanted = begun_ + 1;
  while (ended_ < wanted && syncing_) done_.Wait(mutex_);
  if (ended_ < wanted) {
    syncing_ = true;
    const uint64_t mine = ++begun_;
    mutex_.Unlock();
    const absl::Status result = SyncDirectory(directory_);
    mutex_.Lock();
    syncing_ = false;
    ended_ = mine;
    result_ = result;
    done_.NotifyAll();
  }
  const absl::Status result = result_;
  mutex_.Unlock();
  return result;
}

}  // namespace thinwire
