#include "server/service/revoked_list.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/certificate.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxBytes = 64 << 20;

}  // namespace

absl::StatusOr<std::unordered_set<std::string>> ParseRevoked(absl::string_view text) {
  std::unordered_set<std::string> serials;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    absl::StatusOr<std::string> serial = NormalSerial(line);
    if (!serial.ok()) return absl::InvalidArgumentError(absl::StrCat(number, ": ", serial.status().message()));
    serials.insert(*std::move(serial));
  }
  return serials;
}

absl::Status RevokedList::Load() {
  if (path_.empty()) return absl::OkStatus();
  MutexLock lock(mutex_);
  TW_ASSIGN_OR_RETURN(const Stamp stamp, Look());
  return ReloadLocked(stamp);
}

bool RevokedList::Contains(const std::string& serial) {
  if (path_.empty()) return false;
  MutexLock lock(mutex_);
  FollowLocked();
  return serials_.count(serial) > 0;
}

absl::StatusOr<RevokedList::Stamp> RevokedList::Look() const {
  struct stat info;
  if (::stat(path_.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path_));
  return Stamp{info.st_dev, info.st_ino, info.st_size, info.st_ctim};
}

absl::Status RevokedList::ReloadLocked(const Stamp& stamp) {
  stamp_ = stamp;  // also if it is bad: once is enough to say so
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path_, kMaxBytes));
  absl::StatusOr<std::unordered_set<std::string>> serials = ParseRevoked(text);
  if (!serials.ok()) return absl::InvalidArgumentError(absl::StrCat(path_, ":", serials.status().message()));
  serials_ = *std::move(serials);
  spdlog::info("revoked certificates file={} count={}", path_, serials_.size());
  return absl::OkStatus();
}

void RevokedList::FollowLocked() {
  const absl::StatusOr<Stamp> now = Look();
  const bool was_missing = std::exchange(missing_, !now.ok());
  if (!now.ok()) {
    if (!was_missing) spdlog::error("what was revoked stays revoked error=\"{}\"", now.status().ToString());
    return;
  }
  const bool same = now->device == stamp_.device && now->inode == stamp_.inode && now->size == stamp_.size &&
                    now->changed.tv_sec == stamp_.changed.tv_sec && now->changed.tv_nsec == stamp_.changed.tv_nsec;
  if (same) return;
  const absl::Status status = ReloadLocked(*now);
  if (!status.ok()) spdlog::error("what was revoked stays revoked error=\"{}\"", status.ToString());
}

}  // namespace thinwire
