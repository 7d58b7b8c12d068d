// fsync of one directory, shared by concurrent callers: one sync serves all who asked before it began.
#ifndef THINWIRE_SERVER_STORE_DIRECTORY_SYNCER_H_
#define THINWIRE_SERVER_STORE_DIRECTORY_SYNCER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe.
class DirectorySyncer {
 public:
  explicit DirectorySyncer(std::string directory) : directory_(std::move(directory)) {}
  // Returns once a sync that began after this call has ended.
  absl::Status Sync();

 private:
  const std::string directory_;
  Mutex mutex_;
  CondVar done_;
  bool syncing_ TW_GUARDED_BY(mutex_) = false;
  uint64_t begun_ TW_GUARDED_BY(mutex_) = 0;   // syncs begun
  uint64_t ended_ TW_GUARDED_BY(mutex_) = 0;   // the newest ended sync
  absl::Status result_ TW_GUARDED_BY(mutex_);  // of that one
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_DIRECTORY_SYNCER_H_
