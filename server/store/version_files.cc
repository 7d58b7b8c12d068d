#include "server/store/version_files.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "server/store/rename.h"

namespace thinwire {
namespace {

constexpr char kTemporarySuffix[] = ".tmp";
constexpr char kDamagedSuffix[] = ".damaged";
constexpr char kFrozenName[] = "frozen.payload";
constexpr char kPayloadEnding[] = ".payload";
constexpr size_t kPieceSize = 1 << 20;

// Where the digits from `at` on end.
size_t EndOfDigits(const std::string& name, size_t at) {
  while (at < name.size() && std::isdigit(static_cast<unsigned char>(name[at]))) ++at;
  return at;
}

// "v", digits, for a variant a dot and digits, and one of the endings of a version's files.
bool IsVersionFile(const std::string& name) {
  const size_t end = EndOfDigits(name, 1);
  std::string ending = name.substr(std::min(end, name.size()));
  const size_t variant_end = EndOfDigits(ending, 1);
  if (variant_end > 1 && ending[0] == '.') ending = ending.substr(variant_end);
  const bool known = ending == ".safetensors" || ending == ".state" || ending == ".payload";
  return name[0] == 'v' && end > 1 && known;
}

// Reads a file piece by piece: use(piece).
template <typename Use>
absl::Status ForEachPiece(const File& file, const Use& use) {
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  std::string piece;
  for (uint64_t done = 0; done < size; done += piece.size()) {
    piece.resize(static_cast<size_t>(std::min<uint64_t>(kPieceSize, size - done)));
    TW_RETURN_IF_ERROR(file.ReadAt(done, piece.size(), &piece[0]));
    TW_RETURN_IF_ERROR(use(done, piece));
  }
  return absl::OkStatus();
}

absl::Status CopyAll(const std::string& from, const std::string& to) {
  TW_ASSIGN_OR_RETURN(const File source, File::OpenForRead(from));
  TW_ASSIGN_OR_RETURN(File target, File::Create(to));
  TW_RETURN_IF_ERROR(
      ForEachPiece(source, [&](uint64_t offset, const std::string& piece) { return target.WriteAt(offset, piece); }));
  return target.Sync();
}

}  // namespace

VersionFiles::VersionFiles(const std::string& directory)
    : versions_(JoinPath(directory, "versions")),
      payloads_(JoinPath(directory, "payloads")),
      exported_(JoinPath(directory, "exported")) {}

absl::Status VersionFiles::MakeFolders() const {
  for (const std::string& folder : {versions_, payloads_, exported_}) TW_RETURN_IF_ERROR(MakeDirectories(folder));
  return absl::OkStatus();
}

absl::Status VersionFiles::SyncFolders() const {
  TW_RETURN_IF_ERROR(SyncDirectory(versions_));
  return SyncDirectory(payloads_);
}

std::string VersionFiles::Weights(const VersionRow& row) const { return JoinPath(versions_, row.weights_file); }
std::string VersionFiles::State(const VersionRow& row) const {
  return row.state_file.empty() ? "" : JoinPath(versions_, row.state_file);
}
std::string VersionFiles::Payload(const VersionRow& row) const { return JoinPath(payloads_, row.downlink_file); }
std::string VersionFiles::Variant(const VersionRow& row, uint32_t variant) const {
  return JoinPath(payloads_,
                  absl::StrCat(absl::StripSuffix(row.downlink_file, kPayloadEnding), ".", variant, kPayloadEnding));
}
std::string VersionFiles::Frozen() const { return JoinPath(payloads_, kFrozenName); }
std::string VersionFiles::Exported(uint64_t version) const {
  return JoinPath(exported_, absl::StrCat("model-v", version, ".safetensors"));
}

std::vector<std::string> VersionFiles::AllOf(const VersionRow& row) const {
  std::vector<std::string> files = {Weights(row), Payload(row)};
  if (!row.state_file.empty()) files.push_back(State(row));
  return files;
}

absl::Status VersionFiles::Remove(const VersionRow& row) const {
  absl::Status result;
  for (const std::string& file : AllOf(row)) result.Update(RemoveFile(file));
  return result;
}

absl::Status VersionFiles::Install(const VersionRow& row) const {
  for (const std::string& file : AllOf(row)) TW_RETURN_IF_ERROR(RenameUnsynced(Temporary(file), file));
  return absl::OkStatus();
}

absl::Status VersionFiles::SetAside(const VersionRow& row) const {
  for (const std::string& file : AllOf(row)) {
    if (FileExists(file)) TW_RETURN_IF_ERROR(RenameUnsynced(file, absl::StrCat(file, kDamagedSuffix)));
  }
  return SyncFolders();
}

absl::StatusOr<std::vector<std::string>> VersionFiles::RemoveLeftovers(const std::vector<VersionRow>& known) const {
  std::set<std::string> kept;
  for (const VersionRow& row : known) {
    for (const std::string& file : AllOf(row)) kept.insert(file);
  }
  std::vector<std::string> removed;
  for (const std::string& folder : {versions_, payloads_, exported_}) {
    TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
    for (const std::string& name : names) {
      const std::string path = JoinPath(folder, name);
      const bool unknown = IsVersionFile(name) && kept.count(path) == 0;
      if (!unknown && !absl::EndsWith(name, kTemporarySuffix)) continue;
      TW_RETURN_IF_ERROR(RemoveFile(path));
      removed.push_back(path);
    }
  }
  return removed;
}

VersionRow NewVersionRow(uint64_t version, bool has_state) {
  const std::string stem = absl::StrFormat("v%08d", version);
  VersionRow row;
  row.version = version;
  row.weights_file = absl::StrCat(stem, ".safetensors");
  if (has_state) row.state_file = absl::StrCat(stem, ".state");
  row.downlink_file = absl::StrCat(stem, ".payload");
  return row;
}

std::string Temporary(const std::string& path) { return path.empty() ? path : absl::StrCat(path, kTemporarySuffix); }

absl::StatusOr<Digest> HashFile(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  Sha256Stream hash;
  TW_RETURN_IF_ERROR(ForEachPiece(file, [&](uint64_t, const std::string& piece) {
    hash.Update(piece);
    return absl::OkStatus();
  }));
  return hash.Finish();
}

absl::StatusOr<PayloadRef> EncodeDurably(const ModelSpec& spec, const EncodeOptions& options, BlockSource& source,
                                         const std::string& path) {
  TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodePayload(spec, options, source, path));
  TW_ASSIGN_OR_RETURN(File file, File::OpenForUpdate(path));
  TW_RETURN_IF_ERROR(file.Sync());
  return ref;
}

absl::Status CopyDurably(const std::string& from, const std::string& to) {
  const absl::Status copied = CopyAll(from, Temporary(to));
  if (copied.ok()) return RenameDurably(Temporary(to), to);
  RemoveFile(Temporary(to)).IgnoreError();  // the first error is the one to report
  return copied;
}

}  // namespace thinwire
