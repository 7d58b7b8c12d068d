#include "server/store/spool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "server/store/spool_entry.h"

namespace thinwire {
namespace {

constexpr size_t kMaxIdLength = 128;
constexpr size_t kPrefixLength = 16;
constexpr char kBootIdFile[] = "boot_id";

struct ParsedName {
  std::string assignment;
  std::string prefix;
  SpoolState state = SpoolState::kGone;  // if it is no file of the spool's
};

ParsedName ParseName(absl::string_view file) {
  ParsedName parsed;
  SpoolState state = SpoolState::kPartial;
  if (absl::ConsumeSuffix(&file, kCompleteSuffix)) {
    state = SpoolState::kComplete;
  } else if (!absl::ConsumeSuffix(&file, kPartialSuffix)) {
    return parsed;
  }
  if (file.size() < kPrefixLength + 2 || file[file.size() - kPrefixLength - 1] != '.') return parsed;
  parsed.prefix = std::string(file.substr(file.size() - kPrefixLength));
  parsed.assignment = std::string(file.substr(0, file.size() - kPrefixLength - 1));
  const bool hexadecimal = std::all_of(parsed.prefix.begin(), parsed.prefix.end(), absl::ascii_isxdigit);
  if (hexadecimal && CheckAssignmentId(parsed.assignment).ok()) parsed.state = state;
  return parsed;
}

absl::Status CheckSizes(const PayloadRef& payload) {
  const bool possible = !payload.id.empty() && payload.manifest_size >= kManifestHeaderSize &&
                        payload.manifest_size <= payload.total_size;
  if (possible) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no payload has ", payload.total_size, " bytes with a manifest of ",
                                                 payload.manifest_size, " and the id ", payload.id.Hex()));
}

// Whether the machine has restarted since the partial files were written. If in doubt, it has.
absl::StatusOr<bool> PowerWasLost(const SpoolOptions& options) {
  const std::string own = JoinPath(options.directory, kBootIdFile);
  const absl::StatusOr<std::string> now = ReadWholeFile(options.boot_id_path, 1 << 10);
  const absl::StatusOr<std::string> then = ReadWholeFile(own, 1 << 10);
  if (now.ok() && then.ok() && *now == *then) return false;
  return true;
}

// Only once the partial files of the boot before are gone.
absl::Status RememberBoot(const SpoolOptions& options) {
  const absl::StatusOr<std::string> now = ReadWholeFile(options.boot_id_path, 1 << 10);
  return WriteFileAtomically(JoinPath(options.directory, kBootIdFile), now.ok() ? *now : "");
}

bool Contains(const std::vector<std::string>& sorted, const std::string& item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

}  // namespace

absl::Status CheckAssignmentId(absl::string_view id) {
  const bool characters = std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (!id.empty() && id.size() <= kMaxIdLength && characters && id.front() != '.') return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("an assignment id is 1 to ", kMaxIdLength,
                                                 " letters, digits, '.', '_' or '-' and does not start with '.', got ",
                                                 id.size(), " characters"));
}

Spool::Spool(const SpoolOptions& options) : options_(options), directory_syncer_(options.directory) {}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(const SpoolOptions& options, const SpoolContents& contents) {
  TW_RETURN_IF_ERROR(MakeDirectories(options.directory));
  std::unique_ptr<Spool> spool(new Spool(options));
  TW_RETURN_IF_ERROR(spool->Recover(contents));
  return spool;
}

absl::Status Spool::Recover(const SpoolContents& contents) {
  SpoolContents sorted = contents;
  std::sort(sorted.open_assignments.begin(), sorted.open_assignments.end());
  std::sort(sorted.received_files.begin(), sorted.received_files.end());
  TW_ASSIGN_OR_RETURN(const bool power_lost, PowerWasLost(options_));
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListDirectory(options_.directory));
  for (const std::string& file : files) TW_RETURN_IF_ERROR(RecoverFile(file, sorted, power_lost));
  if (!power_lost) return absl::OkStatus();
  TW_RETURN_IF_ERROR(directory_syncer_.Sync());
  return RememberBoot(options_);
}

absl::Status Spool::RecoverFile(const std::string& file, const SpoolContents& contents, bool power_lost) {
  const ParsedName name = ParseName(file);
  const bool leftover = absl::StartsWith(file, absl::StrCat(kBootIdFile, ".tmp."));
  if (name.state == SpoolState::kGone) return leftover ? RemoveFile(PathOf(file)) : absl::OkStatus();
  // A complete file that the journal does not know was synced, but not acknowledged: it saves sending it again.
  const bool wanted = Contains(contents.received_files, file) || Contains(contents.open_assignments, name.assignment);
  const bool torn = power_lost && name.state == SpoolState::kPartial;
  MutexLock lock(mutex_);
  const bool second = entries_.find(name.assignment) != entries_.end();
  if (!wanted || torn || second) return RemoveFile(PathOf(file));
  auto entry = std::make_shared<SpoolEntry>(name.assignment, name.prefix, name.state);
  TW_ASSIGN_OR_RETURN(const File opened, File::OpenForRead(PathOf(file)));
  TW_ASSIGN_OR_RETURN(const uint64_t size, opened.Size());
  entry->received = size;
  entry->reserved = size;
  entry->counts_as_partial = name.state == SpoolState::kPartial;
  total_bytes_ += size;
  partial_files_ += entry->counts_as_partial ? 1 : 0;
  entries_[name.assignment] = std::move(entry);
  return absl::OkStatus();
}

uint64_t Spool::ReceivedBytes(const std::string& assignment, const Digest& payload) const {
  MutexLock lock(mutex_);
  const auto it = entries_.find(assignment);
  if (it == entries_.end() || it->second->state == SpoolState::kGone) return 0;
  return it->second->prefix == PayloadPrefix(payload) ? it->second->received.load() : 0;
}

absl::Status Spool::Reserve(SpoolEntry& entry, uint64_t bytes) {
  const uint64_t others = total_bytes_ - entry.reserved;
  if (bytes > options_.max_bytes || others > options_.max_bytes - bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the spool holds ", others, " bytes of announced updates, ", bytes,
                                                     " more would pass limits.spool_bytes, ", options_.max_bytes));
  }
  total_bytes_ = others + bytes;
  entry.reserved = bytes;
  return absl::OkStatus();
}

absl::StatusOr<Spool::EntryPtr> Spool::FindOrAdd(const std::string& assignment, const PayloadRef& payload) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(assignment);
  if (it != entries_.end()) return it->second;
  if (partial_files_ >= options_.max_partial_files) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the spool holds ", partial_files_, " partial updates, its limit"));
  }
  auto entry = std::make_shared<SpoolEntry>(assignment, PayloadPrefix(payload.id), SpoolState::kPartial);
  TW_RETURN_IF_ERROR(Reserve(*entry, payload.total_size));
  entry->counts_as_partial = true;
  ++partial_files_;
  entries_[assignment] = entry;
  return entry;
}

absl::StatusOr<std::unique_ptr<SpoolUpload>> Spool::Begin(const std::string& assignment, const PayloadRef& payload) {
  TW_RETURN_IF_ERROR(CheckAssignmentId(assignment));
  TW_RETURN_IF_ERROR(CheckSizes(payload));
  for (;;) {
    TW_ASSIGN_OR_RETURN(const EntryPtr entry, FindOrAdd(assignment, payload));
    TW_ASSIGN_OR_RETURN(const uint64_t turn, TakeTurn(*entry, payload));
    if (turn > 0) return std::unique_ptr<SpoolUpload>(new SpoolUpload(this, entry, turn));
    Forget(entry);  // it was of another payload, or on its way out: start with a fresh one
  }
}

absl::StatusOr<uint64_t> Spool::TakeTurn(SpoolEntry& entry, const PayloadRef& payload) {
  MutexLock lock(entry.mutex);
  if (entry.state == SpoolState::kGone) return 0;
  const bool same = entry.prefix == PayloadPrefix(payload.id) && entry.received <= payload.total_size &&
                    (!entry.payload.has_value() || *entry.payload == payload);
  if (entry.state == SpoolState::kComplete) {
    if (same && entry.received == payload.total_size) return ++entry.turn;
    return absl::AlreadyExistsError(absl::StrCat("another complete update of assignment '", entry.assignment,
                                                 "' is here, the first one counts; ask UploadStatus"));
  }
  if (!same) {
    TW_RETURN_IF_ERROR(RemoveFileOf(entry));
    return 0;
  }
  if (!entry.payload.has_value()) {  // left by an earlier process
    MutexLock room(mutex_);
    TW_RETURN_IF_ERROR(Reserve(entry, payload.total_size));
  }
  if (!entry.file.is_open()) {
    TW_ASSIGN_OR_RETURN(entry.file, File::OpenForUpdate(PathOf(entry.FileName(SpoolState::kPartial))));
    TW_RETURN_IF_ERROR(entry.file.Truncate(entry.received));
  }
  entry.payload = payload;
  return ++entry.turn;
}

absl::Status Spool::Discard(const std::string& assignment) {
  EntryPtr entry;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(assignment);
    if (it == entries_.end()) return absl::OkStatus();
    entry = it->second;
  }
  absl::Status removed;
  {
    MutexLock lock(entry->mutex);
    removed = RemoveFileOf(*entry);
  }
  Forget(entry);
  return removed;
}

absl::Status Spool::RemoveFileOf(SpoolEntry& entry) {
  const SpoolState was = entry.state.exchange(SpoolState::kGone);
  entry.file = File();
  if (was == SpoolState::kGone) return absl::OkStatus();
  return RemoveFile(PathOf(entry.FileName(was)));
}

void Spool::Forget(const EntryPtr& entry) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(entry->assignment);
  if (it == entries_.end() || it->second != entry) return;
  total_bytes_ -= entry->reserved;
  partial_files_ -= entry->counts_as_partial ? 1 : 0;
  entries_.erase(it);
}

void Spool::NoLongerPartial(SpoolEntry& entry) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(entry.assignment);
  if (it == entries_.end() || it->second.get() != &entry || !entry.counts_as_partial) return;
  entry.counts_as_partial = false;
  --partial_files_;
}

std::string Spool::PathOf(const std::string& file) const { return JoinPath(options_.directory, file); }

uint64_t Spool::total_bytes() const {
  MutexLock lock(mutex_);
  return total_bytes_;
}

uint32_t Spool::partial_files() const {
  MutexLock lock(mutex_);
  return partial_files_;
}

}  // namespace thinwire
