#include "client/session/error_memory.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/codec/little_endian.h"

namespace thinwire {
namespace {

constexpr char kCommitted[] = "committed";
constexpr char kProposed[] = "proposed";
constexpr char kWritten[] = "written.tmp";
constexpr char kHead[] = "thinwire-error 1";
constexpr uint64_t kMaxRecord = 4096;

absl::StatusOr<Digest> WriteValues(const std::string& path, absl::FunctionRef<absl::Status(ErrorMemory::Sink)> give) {
  TW_ASSIGN_OR_RETURN(File file, File::Create(path));
  Sha256Stream hash;
  std::string bytes;
  uint64_t written = 0;
  TW_RETURN_IF_ERROR(give([&](absl::Span<const float> values) {
    bytes.resize(4 * values.size());
    StoreAllLittle<uint32_t>(values.data(), values.size(), &bytes[0]);
    hash.Update(bytes);
    const uint64_t at = written;
    written += bytes.size();
    return file.WriteAt(at, bytes);
  }));
  TW_RETURN_IF_ERROR(file.Sync());
  return hash.Finish();
}

}  // namespace

std::string ErrorMemory::PathOf(const Digest& values) const {
  return JoinPath(directory_, absl::StrCat(values.Hex(), ".error"));
}

std::optional<ErrorMemory::Proposal> ErrorMemory::ReadRecord(const char* name, const Digest& run) const {
  const absl::StatusOr<std::string> text = ReadWholeFile(JoinPath(directory_, name), kMaxRecord);
  if (!text.ok()) return std::nullopt;
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  if (lines.size() != 6 || lines[0] != kHead || lines[1] != run.Hex()) return std::nullopt;
  const absl::StatusOr<Digest> values = Digest::FromHex(lines[2]), payload = Digest::FromHex(lines[3]);
  if (!values.ok() || !payload.ok()) return std::nullopt;
  return Proposal{lines[4], *payload, *values};
}

absl::Status ErrorMemory::WriteRecord(const char* name, const Digest& run, const Proposal& record) const {
  return WriteFileAtomically(JoinPath(directory_, name),
                             absl::StrCat(kHead, "\n", run.Hex(), "\n", record.values.Hex(), "\n", record.payload.Hex(),
                                          "\n", record.assignment, "\n"));
}

std::optional<ErrorMemory::Proposal> ErrorMemory::proposal(const Digest& run) const {
  return ReadRecord(kProposed, run);
}

absl::Status ErrorMemory::Settle(const Digest& run, bool counts) {
  const std::optional<Proposal> proposed = proposal(run);
  if (counts && proposed.has_value()) TW_RETURN_IF_ERROR(WriteRecord(kCommitted, run, *proposed));
  TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, kProposed)));
  return RemoveOthers(run);
}

absl::Status ErrorMemory::RemoveOthers(const Digest& run) const {
  const std::optional<Proposal> committed = ReadRecord(kCommitted, run), proposed = proposal(run);
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory_, name);
    const bool named = (committed.has_value() && path == PathOf(committed->values)) ||
                       (proposed.has_value() && path == PathOf(proposed->values));
    if (!named && absl::EndsWith(name, ".error")) TW_RETURN_IF_ERROR(RemoveFile(path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<BasisFile>> ErrorMemory::Open(const Digest& run, uint64_t count) {
  const std::optional<Proposal> committed = ReadRecord(kCommitted, run);
  if (!committed.has_value()) return std::optional<BasisFile>();
  absl::StatusOr<BasisFile> file = BasisFile::Open(PathOf(committed->values), count);
  const absl::StatusOr<Digest> hash = file.ok() ? file->Hash() : file.status();
  if (hash.ok() && *hash == committed->values) return std::optional<BasisFile>(*std::move(file));
  TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, kCommitted)));
  return absl::DataLossError(
      absl::StrCat("what earlier updates did not send is damaged or gone, and is dropped: ",
                   hash.ok() ? absl::StrCat(PathOf(committed->values), " has the SHA-256 ", hash->Hex())
                             : hash.status().ToString()));
}

absl::Status ErrorMemory::Propose(const Digest& run, const std::string& assignment, const Digest& payload,
                                  absl::FunctionRef<absl::Status(Sink)> give) {
  TW_RETURN_IF_ERROR(MakeDirectories(directory_));
  const std::string written = JoinPath(directory_, kWritten);
  TW_ASSIGN_OR_RETURN(const Digest values, WriteValues(written, give));
  TW_RETURN_IF_ERROR(RenameDurably(written, PathOf(values)));
  TW_RETURN_IF_ERROR(WriteRecord(kProposed, run, {assignment, payload, values}));
  return RemoveOthers(run);
}

}  // namespace thinwire
