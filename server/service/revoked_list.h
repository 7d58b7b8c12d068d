// Serial numbers of certificates that are no longer to be trusted, from a file that may change at any time.
#ifndef THINWIRE_SERVER_SERVICE_REVOKED_LIST_H_
#define THINWIRE_SERVER_SERVICE_REVOKED_LIST_H_

#include <sys/stat.h>

#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/mutex.h"

namespace thinwire {

// One serial number a line, hexadecimal; "#" begins a comment. INVALID_ARGUMENT naming the line.
absl::StatusOr<std::unordered_set<std::string>> ParseRevoked(absl::string_view text);

// Thread-safe. Each question looks at the file's time, size and inode, and reads it again if they changed. A file that
// cannot be read or parsed any more changes nothing: what was revoked stays revoked, and the log says so.
class RevokedList {
 public:
  // An empty path: nothing is ever revoked. Load must have succeeded before the first question.
  explicit RevokedList(std::string path) : path_(std::move(path)) {}
  // NOT_FOUND, INVALID_ARGUMENT, ... naming the file.
  absl::Status Load();

  bool Contains(const std::string& serial);

 private:
  // What tells one content of the file from the next.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    timespec changed = {};
  };
  absl::StatusOr<Stamp> Look() const;
  absl::Status ReloadLocked(const Stamp& stamp) TW_REQUIRES(mutex_);
  void FollowLocked() TW_REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_;
  bool missing_ TW_GUARDED_BY(mutex_) = false;  // and the log knows
  Stamp stamp_ TW_GUARDED_BY(mutex_);
  std::unordered_set<std::string> serials_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_REVOKED_LIST_H_
