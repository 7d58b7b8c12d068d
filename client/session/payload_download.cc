#include "client/session/payload_download.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr char kWholeEnding[] = ".payload";

absl::StatusOr<std::string> ReadManifest(const File& file, const PayloadRef& ref) {
  std::string manifest(ref.manifest_size, '\0');
  TW_RETURN_IF_ERROR(file.ReadAt(0, manifest.size(), &manifest[0]));
  if (Sha256(manifest) == ref.id) return manifest;
  return absl::DataLossError(
      absl::StrCat("the manifest of payload ", ref.id.Hex(), " has another hash; fetch it again"));
}

// Atomic, but not synced: this is a cache.
absl::Status Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot rename ", from, " to ", to, ": ", std::strerror(errno)));
}

// Bytes received into one .part file.
class PartFile {
 public:
  static absl::StatusOr<PartFile> Open(const std::string& path, const PayloadRef& ref) {
    TW_ASSIGN_OR_RETURN(File file, File::OpenForUpdate(path));
    TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
    PartFile part(std::move(file), ref, size);
    TW_RETURN_IF_ERROR(part.CheckStart());
    return part;
  }

  absl::Status Append(absl::string_view data) {
    if (data.size() > ref_.total_size - size_) {
      return Discard(absl::DataLossError(absl::StrCat("payload ", ref_.id.Hex(), " was announced with ",
                                                      ref_.total_size, " bytes, but more have come")));
    }
    TW_RETURN_IF_ERROR(file_.WriteAt(size_, data));
    const bool had_manifest = size_ >= ref_.manifest_size;
    size_ += data.size();
    return had_manifest || size_ < ref_.manifest_size ? absl::OkStatus() : CheckManifestHash();
  }
  uint64_t size() const { return size_; }

 private:
  PartFile(File file, const PayloadRef& ref, uint64_t size) : file_(std::move(file)), ref_(ref), size_(size) {}

  // What an earlier process left is kept only if it can be the beginning of this payload.
  absl::Status CheckStart() {
    if (size_ > ref_.total_size || (size_ >= ref_.manifest_size && !CheckManifestHash().ok())) {
      size_ = 0;
      return file_.Truncate(0);
    }
    return absl::OkStatus();
  }
  absl::Status CheckManifestHash() {
    const absl::StatusOr<std::string> manifest = ReadManifest(file_, ref_);
    return manifest.ok() ? absl::OkStatus() : Discard(manifest.status());
  }
  absl::Status Discard(absl::Status why) {
    size_ = 0;
    TW_RETURN_IF_ERROR(file_.Truncate(0));
    return why;
  }

  File file_;
  PayloadRef ref_;
  uint64_t size_;
};

// Bytes before the first damaged segment; 0 if the manifest itself is damaged.
absl::StatusOr<uint64_t> IntactPrefix(const File& file, const PayloadRef& ref) {
  TW_ASSIGN_OR_RETURN(const uint64_t file_size, file.Size());
  if (file_size < ref.manifest_size) return 0;
  const absl::StatusOr<std::string> bytes = ReadManifest(file, ref);
  if (!bytes.ok()) return 0;
  TW_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(*bytes));
  uint64_t offset = ref.manifest_size;
  std::string frame;
  for (const Segment& segment : manifest.segments) {
    if (segment.size > file_size - offset) break;
    frame.resize(segment.size);
    TW_RETURN_IF_ERROR(file.ReadAt(offset, frame.size(), &frame[0]));
    if (Sha256(frame) != segment.sha256) break;
    offset += segment.size;
  }
  return offset;
}

}  // namespace

std::string PayloadDownloader::PartPath(const PayloadRef& ref) const {
  return JoinPath(directory_, absl::StrCat(ref.id.Hex(), ".part"));
}
std::string PayloadDownloader::WholePath(const PayloadRef& ref) const {
  return JoinPath(directory_, absl::StrCat(ref.id.Hex(), kWholeEnding));
}

absl::StatusOr<std::string> PayloadDownloader::Fetch(const PayloadRef& ref, const ProgressFn& progress) {
  const std::string whole = WholePath(ref);
  if (FileExists(whole)) {
    TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(whole));
    TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
    if (size == ref.total_size) return whole;
    TW_RETURN_IF_ERROR(RemoveFile(whole));
  }
  TW_RETURN_IF_ERROR(Receive(ref, progress));
  TW_RETURN_IF_ERROR(Rename(PartPath(ref), whole));
  return whole;
}

absl::Status PayloadDownloader::Receive(const PayloadRef& ref, const ProgressFn& progress) {
  TW_ASSIGN_OR_RETURN(PartFile part, PartFile::Open(PartPath(ref), ref));
  const uint64_t start = part.size();
  if (start == ref.total_size) return absl::OkStatus();
  const auto sink = [&](absl::string_view data) {
    bytes_received_ += data.size();
    absl::Status appended = part.Append(data);
    if (appended.ok() && progress) progress(start, part.size(), ref.total_size);
    return appended;
  };
  TW_RETURN_IF_ERROR(api_->Download(ref, start, sink));
  if (part.size() == ref.total_size) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the download of ", ref.id.Hex(), " ended at byte ", part.size(), " of ", ref.total_size));
}

absl::Status PayloadDownloader::CutToIntactPrefix(const PayloadRef& ref) {
  if (!FileExists(WholePath(ref))) return absl::OkStatus();
  uint64_t intact = 0;
  {
    TW_ASSIGN_OR_RETURN(File file, File::OpenForUpdate(WholePath(ref)));
    TW_ASSIGN_OR_RETURN(intact, IntactPrefix(file, ref));
    TW_RETURN_IF_ERROR(file.Truncate(intact));
  }
  return Rename(WholePath(ref), PartPath(ref));
}

absl::Status PayloadDownloader::Adopt(const PayloadRef& ref, const std::string& path) {
  return Rename(path, WholePath(ref));
}

std::optional<PayloadRef> PayloadDownloader::FindModel() const {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  std::optional<PayloadRef> found;
  for (size_t i = 0; names.ok() && i < names->size(); ++i) {
    const absl::StatusOr<PayloadReader> reader = PayloadReader::OpenForInspection(JoinPath(directory_, (*names)[i]));
    if (!reader.ok() || (*names)[i] != absl::StrCat(reader->ref().id.Hex(), kWholeEnding)) continue;
    const Manifest& manifest = reader->manifest();
    if (manifest.representation != Representation::kModel || !manifest.base_id.empty()) continue;
    if (found.has_value()) return std::nullopt;
    found = reader->ref();
  }
  return found;
}

absl::Status PayloadDownloader::KeepOnly(const std::vector<Digest>& ids) {
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) {
    const auto wanted = [&](const Digest& id) { return name.compare(0, 64, id.Hex()) == 0; };
    if (std::any_of(ids.begin(), ids.end(), wanted)) continue;
    TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, name)));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
