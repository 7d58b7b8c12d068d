// How many streams of a kind are open, in all and for each client: each may hold a chunk in memory.
#ifndef THINWIRE_SERVER_SERVICE_STREAM_QUOTA_H_
#define THINWIRE_SERVER_SERVICE_STREAM_QUOTA_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe.
class StreamQuota {
 public:
  // `what` is for messages, e.g. "downloads".
  StreamQuota(std::string what, size_t total, size_t per_client)
      : what_(std::move(what)), total_(total), per_client_(per_client) {}

  // RESOURCE_EXHAUSTED, naming the limit, if there is no room. Who was let in must Leave.
  absl::Status Enter(const std::string& client) {
    MutexLock lock(mutex_);
    if (open_ >= total_) {
      return absl::ResourceExhaustedError(
          absl::StrCat(open_, " ", what_, " are open, all that limits.", what_, " allows"));
    }
    size_t& own = by_client_[client];
    if (own >= per_client_) {
      return absl::ResourceExhaustedError(absl::StrCat("client '", client, "' has ", own, " ", what_,
                                                       " open, all that limits.", what_,
                                                       "_per_client allows: end one first"));
    }
    ++own;
    ++open_;
    return absl::OkStatus();
  }
  void Leave(const std::string& client) {
    MutexLock lock(mutex_);
    const auto it = by_client_.find(client);
    if (--it->second == 0) by_client_.erase(it);
    --open_;
  }
  size_t open() const {
    MutexLock lock(mutex_);
    return open_;
  }

 private:
  const std::string what_;
  const size_t total_;
  const size_t per_client_;
  mutable Mutex mutex_;
  size_t open_ TW_GUARDED_BY(mutex_) = 0;
  std::map<std::string, size_t> by_client_ TW_GUARDED_BY(mutex_);  // without zeros
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_STREAM_QUOTA_H_
