#include "common/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status ErrnoStatus(absl::string_view what, const std::string& path, int error) {
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(message, "; free space on that disk"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(
          absl::StrCat(message, "; check owner, permissions and mount options, the user here is ", ::geteuid()));
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<int> Open(const std::string& path, int flags, absl::string_view what) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(what, path, errno);
  return fd;
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::atomic<bool> sync_disabled{false};

}  // namespace

void DisableSync() { sync_disabled = true; }
bool SyncDisabled() { return sync_disabled; }

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}
File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

absl::StatusOr<File> File::OpenForRead(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const int fd, Open(path, O_RDONLY, "open"));
  return File(fd, path);
}
absl::StatusOr<File> File::Create(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const int fd, Open(path, O_RDWR | O_CREAT | O_TRUNC, "create"));
  return File(fd, path);
}
absl::StatusOr<File> File::OpenForUpdate(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const int fd, Open(path, O_RDWR | O_CREAT, "open"));
  return File(fd, path);
}

absl::Status File::ReadAt(uint64_t offset, size_t size, void* out) const {
  char* target = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = ::pread(fd_, target, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path_, errno);
    if (got == 0)
      return absl::OutOfRangeError(absl::StrCat(path_, " ends at byte ", offset, ", ", size, " more wanted"));
    target += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status File::WriteAt(uint64_t offset, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus("write", path_, errno);
    data.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return absl::OkStatus();
}

absl::Status File::WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces) {
  constexpr size_t kMaxPieces = 64;
  while (!pieces.empty()) {
    std::array<iovec, kMaxPieces> parts;
    const size_t count = std::min(pieces.size(), kMaxPieces);
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      parts[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};  // pwritev only reads
      size += pieces[i].size();
    }
    const ssize_t put = ::pwritev(fd_, parts.data(), static_cast<int>(count), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus("write", path_, errno);
    if (static_cast<size_t>(put) < size) return WriteRest(offset, static_cast<size_t>(put), pieces);
    pieces.remove_prefix(count);
    offset += size;
  }
  return absl::OkStatus();
}

absl::Status File::WriteRest(uint64_t offset, size_t written, absl::Span<const absl::string_view> pieces) {
  for (const absl::string_view piece : pieces) {
    const size_t done = std::min(written, piece.size());
    written -= done;
    TW_RETURN_IF_ERROR(WriteAt(offset + done, piece.substr(done)));
    offset += piece.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> File::Size() const {
  struct stat info;
  if (::fstat(fd_, &info) != 0) return ErrnoStatus("stat", path_, errno);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status File::Truncate(uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return ErrnoStatus("truncate", path_, errno);
  return absl::OkStatus();
}

void File::StartWriteback(uint64_t offset, uint64_t size) const {
  if (SyncDisabled()) return;
  (void)::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

absl::Status File::Sync() {
  if (SyncDisabled()) return absl::OkStatus();
  if (::fdatasync(fd_) != 0) return ErrnoStatus("sync", path_, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, uint64_t max_size) {
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (size > max_size) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", size, " bytes, at most ", max_size, " are read"));
  }
  std::string data(size, '\0');
  TW_RETURN_IF_ERROR(file.ReadAt(0, data.size(), &data[0]));
  return data;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view data) {
  const std::string temporary = absl::StrCat(path, ".tmp.", ::getpid());
  {
    TW_ASSIGN_OR_RETURN(File file, File::Create(temporary));
    absl::Status status = file.WriteAt(0, data);
    if (status.ok()) status = file.Sync();
    if (!status.ok()) {
      ::unlink(temporary.c_str());
      return status;
    }
  }
  return RenameDurably(temporary, path);
}

absl::Status RenameDurably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(absl::StrCat("rename to ", to, " from"), from, errno);
  return SyncDirectory(ParentOf(to));
}

absl::Status SyncDirectory(const std::string& directory) {
  if (SyncDisabled()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const int fd, Open(directory, O_RDONLY | O_DIRECTORY, "open directory"));
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (result != 0) return ErrnoStatus("sync directory", directory, error);
  return absl::OkStatus();
}

absl::Status MakeDirectories(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus("create directory", directory, error.value());
  return absl::OkStatus();
}

absl::Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("remove", path, errno);
  return absl::OkStatus();
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& directory) {
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return ErrnoStatus("list", directory, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string JoinPath(absl::string_view directory, absl::string_view name) {
  if (directory.empty() || directory.back() == '/') return absl::StrCat(directory, name);
  return absl::StrCat(directory, "/", name);
}

}  // namespace thinwire
