// Upload streams that are open, so that they can be counted, taken over and ended from outside.
#ifndef THINWIRE_SERVER_SERVICE_OPEN_UPLOADS_H_
#define THINWIRE_SERVER_SERVICE_OPEN_UPLOADS_H_

#include <cstddef>
#include <list>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

class UploadStream {
 public:
  virtual ~UploadStream() = default;
  // Finishes the stream with this outcome as soon as it may; nothing if it has finished. Does not block, and does not
  // call OpenUploads.
  virtual void End(const absl::StatusOr<v1::UploadResponse>& outcome) = 0;
};

// Thread-safe. A stream must call Leave before it is destroyed.
class OpenUploads {
 public:
  // More than `limit` at once are refused: each may hold one chunk in memory.
  explicit OpenUploads(size_t limit) : limit_(limit) {}

  // A stream that has not sent its header: nobody knows whose it is. There may be `limit` of these besides the uploads;
  // one more, and the oldest is ended RESOURCE_EXHAUSTED, which is never one that sends its header at once.
  // UNAVAILABLE after EndAll.
  absl::Status Greet(UploadStream* stream);
  // The header of a stream has been taken. RESOURCE_EXHAUSTED at the limit, UNAVAILABLE after EndAll. An older upload
  // of the same assignment is ended ABORTED: its client has lost that connection, whether this machine knows it or not.
  absl::Status Enter(const std::string& assignment, UploadStream* stream);
  void Leave(const std::string& assignment, const UploadStream* stream);
  // Ends the assignment's upload, if one is open.
  void End(const std::string& assignment, const absl::StatusOr<v1::UploadResponse>& outcome);
  // Ends all and admits no more.
  void EndAll(const absl::Status& status);
  size_t size() const;

 private:
  const size_t limit_;
  mutable Mutex mutex_;
  std::map<std::string, UploadStream*> streams_ TW_GUARDED_BY(mutex_);  // by assignment
  std::list<UploadStream*> greeted_ TW_GUARDED_BY(mutex_);              // without a header, the oldest first
  bool closed_ TW_GUARDED_BY(mutex_) = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_OPEN_UPLOADS_H_
