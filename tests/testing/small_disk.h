// A file system of a few megabytes that a test can fill, empty and make read-only: a tmpfs in a mount namespace of this
// process, so that nothing outlives the test. Needs root, or what else allows to mount.
#ifndef THINWIRE_TESTS_TESTING_SMALL_DISK_H_
#define THINWIRE_TESTS_TESTING_SMALL_DISK_H_

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {

// Used from the main thread, which must also start the processes that are to see it.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {}
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // PERMISSION_DENIED where this process may not mount: skip the test then.
  absl::Status Mount(uint64_t bytes) {
    TW_RETURN_IF_ERROR(MakeDirectories(path_));
    const std::string size = absl::StrCat("size=", bytes, ",mode=0777");
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", path_.c_str(), "tmpfs", 0, size.c_str()) != 0) {
      return absl::PermissionDeniedError(absl::StrCat("cannot mount a small disk: ", std::strerror(errno)));
    }
    mounted_ = true;
    return absl::OkStatus();
  }

  uint64_t Free() const {
    struct statvfs info;
    return ::statvfs(path_.c_str(), &info) == 0 ? info.f_bavail * info.f_bsize : 0;
  }
  // Takes all but `left` bytes of what is free.
  absl::Status FillUpTo(uint64_t left) {
    TW_ASSIGN_OR_RETURN(File file, File::Create(JoinPath(path_, kFiller)));
    const std::string piece(4096, 'x');
    for (uint64_t at = 0; Free() > left; at += piece.size()) {
      const absl::Status written = file.WriteAt(at, piece);
      if (absl::IsResourceExhausted(written)) return absl::OkStatus();
      TW_RETURN_IF_ERROR(written);
    }
    return absl::OkStatus();
  }
  // Gives back what FillUpTo has taken.
  absl::Status Empty() { return RemoveFile(JoinPath(path_, kFiller)); }
  absl::Status MakeReadOnly() {
    if (::mount("none", path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("cannot make ", path_, " read-only: ", std::strerror(errno)));
  }
  const std::string& path() const { return path_; }

 private:
  static constexpr char kFiller[] = "filler";
  const std::string path_;
  bool mounted_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_SMALL_DISK_H_
