#include "client/session/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr size_t kMaxClientId = 64;
constexpr uint64_t kMaxIdFile = 256;

absl::StatusOr<int> Lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0)
    return absl::PermissionDeniedError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno),
                                                    "; the state folder must be writable for this user"));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) {
      return absl::FailedPreconditionError(
          absl::StrCat("another client holds ", path, "; give each client a state folder of its own"));
    }
    return absl::InternalError(absl::StrCat("cannot lock ", path, ": ", std::strerror(error)));
  }
  return fd;
}

absl::StatusOr<std::string> RandomId() {
  char bytes[16];
  if (::getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes))) {
    return absl::InternalError(absl::StrCat("the system gives no random bytes: ", std::strerror(errno)));
  }
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

}  // namespace

absl::Status StateFolder::CheckId(absl::string_view id) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; };
  bool good = !id.empty() && id.size() <= kMaxClientId && absl::ascii_isalnum(id[0]);
  for (const char c : id) good = good && allowed(c);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("client id '", absl::CHexEscape(id.substr(0, 80)), "' must be 1 to ",
                                                 kMaxClientId,
                                                 " letters, digits, '.', '_' or '-' and begin with a letter or digit"));
}

absl::StatusOr<StateFolder> StateFolder::Open(const std::string& path, const std::string& client_id) {
  TW_RETURN_IF_ERROR(MakeDirectories(path));
  TW_ASSIGN_OR_RETURN(const int fd, Lock(JoinPath(path, "lock")));
  StateFolder folder(fd, path);
  TW_RETURN_IF_ERROR(MakeDirectories(folder.download_directory()));
  TW_RETURN_IF_ERROR(MakeDirectories(folder.upload_directory()));
  TW_RETURN_IF_ERROR(folder.ChooseClientId(client_id));
  return folder;
}

absl::Status StateFolder::ChooseClientId(const std::string& wanted) {
  if (!wanted.empty()) {
    TW_RETURN_IF_ERROR(CheckId(wanted));
  }
  const std::string file = JoinPath(path_, "client_id");
  if (FileExists(file)) {
    TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(file, kMaxIdFile));
    client_id_ = std::string(absl::StripAsciiWhitespace(text));
    TW_RETURN_IF_ERROR(CheckId(client_id_));
    if (wanted.empty() || wanted == client_id_) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("state folder ", path_, " belongs to client '", client_id_,
                                                      "', not '", wanted,
                                                      "'; use another state folder, or leave the client id out"));
  }
  client_id_ = wanted;
  if (client_id_.empty()) {
    TW_ASSIGN_OR_RETURN(client_id_, RandomId());
  }
  return WriteFileAtomically(file, absl::StrCat(client_id_, "\n"));
}

StateFolder::~StateFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}
StateFolder::StateFolder(StateFolder&& other) noexcept
    : lock_fd_(std::exchange(other.lock_fd_, -1)),
      path_(std::move(other.path_)),
      client_id_(std::move(other.client_id_)) {}
StateFolder& StateFolder::operator=(StateFolder&& other) noexcept {
  std::swap(lock_fd_, other.lock_fd_);
  std::swap(path_, other.path_);
  std::swap(client_id_, other.client_id_);
  return *this;
}

std::string StateFolder::download_directory() const { return JoinPath(path_, "download"); }
std::string StateFolder::basis_directory() const { return JoinPath(path_, "basis"); }
std::string StateFolder::error_directory() const { return JoinPath(path_, "error"); }
std::string StateFolder::upload_directory() const { return JoinPath(path_, "upload"); }

}  // namespace thinwire
