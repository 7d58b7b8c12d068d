#include "deploy/simulate/model_shelf.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

std::string NameOf(const Digest& id) { return absl::StrCat(id.Hex(), ".payload"); }

// Another name for the file: nothing is copied.
absl::Status Link(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot link ", from, " to ", to, ": ", error.message()));
}

}  // namespace

std::string ModelShelf::PathOf(const Digest& id) const { return JoinPath(directory_, NameOf(id)); }

absl::Status ModelShelf::GiveAll(const std::string& path, const Digest& id) {
  MutexLock lock(mutex_);
  TW_RETURN_IF_ERROR(MakeDirectories(directory_));
  TW_RETURN_IF_ERROR(Link(path, PathOf(id)));
  holders_ = {{id, static_cast<uint32_t>(held_.size())}};
  held_.assign(held_.size(), id);
  return absl::OkStatus();
}

std::optional<Digest> ModelShelf::HeldBy(uint32_t client) const {
  MutexLock lock(mutex_);
  return held_[client];
}

absl::Status ModelShelf::LayOut(uint32_t client, const StateFolder& folder) const {
  const std::optional<Digest> id = HeldBy(client);
  return id.has_value() ? Link(PathOf(*id), JoinPath(folder.download_directory(), NameOf(*id))) : absl::OkStatus();
}

absl::Status ModelShelf::TakeBack(uint32_t client, const StateFolder& folder, const Digest& id) {
  const std::string path = JoinPath(folder.download_directory(), NameOf(id));
  MutexLock lock(mutex_);
  if (held_[client] == id || !FileExists(path)) return absl::OkStatus();
  if (holders_.count(id) == 0) {
    TW_RETURN_IF_ERROR(MakeDirectories(directory_));
    TW_RETURN_IF_ERROR(Link(path, PathOf(id)));
  }
  ++holders_[id];
  if (held_[client].has_value() && --holders_[*held_[client]] == 0) {
    holders_.erase(*held_[client]);
    TW_RETURN_IF_ERROR(RemoveFile(PathOf(*held_[client])));
  }
  held_[client] = id;
  return absl::OkStatus();
}

}  // namespace thinwire
