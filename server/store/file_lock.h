// An exclusive lock between processes, held by whoever holds the object.
#ifndef THINWIRE_SERVER_STORE_FILE_LOCK_H_
#define THINWIRE_SERVER_STORE_FILE_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace thinwire {

// flock(2): the system releases it when the process ends, however it ends. The file stays. Thread-compatible.
class FileLock {
 public:
  // FAILED_PRECONDITION, naming the file and the process that holds it, if it is taken.
  static absl::StatusOr<FileLock> Acquire(const std::string& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_FILE_LOCK_H_
