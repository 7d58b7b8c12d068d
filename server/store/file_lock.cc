#include "server/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

// The holder's process id as it wrote it; only for people.
std::string HolderOf(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  const std::string pid(text, size > 0 ? static_cast<size_t>(size) : 0);
  return pid.empty() ? "another process" : absl::StrCat("process ", absl::StripAsciiWhitespace(pid));
}

bool WriteHolder(int fd) {
  const std::string pid = absl::StrCat(::getpid(), "\n");
  return ::ftruncate(fd, 0) == 0 && ::pwrite(fd, pid.data(), pid.size(), 0) > 0;
}

absl::Status LockFileError(const char* what, const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot ", what, " the lock file ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(message, "; free space on that disk"));
  }
  return absl::PermissionDeniedError(absl::StrCat(message, "; its folder must be writable for this user"));
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return LockFileError("open", path, errno);
  }
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK)
      return absl::InternalError(absl::StrCat("cannot lock ", path, ": ", std::strerror(error)));
    return absl::FailedPreconditionError(absl::StrCat(HolderOf(fd), " works on the same state and holds ", path,
                                                      "; stop it, or name another storage.directory"));
  }
  if (!WriteHolder(fd)) return LockFileError("write", path, errno);
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace thinwire
