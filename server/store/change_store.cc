#include "server/store/change_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/safetensors.h"
#include "server/store/rename.h"
#include "server/store/version_files.h"

namespace thinwire {
namespace {

constexpr char kEnding[] = ".payload";
// Entries in memory while they are encoded: 200 MB.
constexpr uint64_t kMaxEntries = uint64_t{1} << 24;

std::string NameOf(uint64_t version, uint64_t from, uint64_t entries) {
  return absl::StrFormat("v%08d-%d-%d%s", version, from, entries, kEnding);
}

struct ParsedName {
  uint64_t version = 0, from = 0, entries = 0;
};
std::optional<ParsedName> ParseName(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "v") || !absl::ConsumeSuffix(&name, kEnding)) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  ParsedName parsed;
  const bool well_formed = parts.size() == 3 && absl::SimpleAtoi(parts[0], &parsed.version) &&
                           absl::SimpleAtoi(parts[1], &parsed.from) && absl::SimpleAtoi(parts[2], &parsed.entries);
  return well_formed ? std::optional<ParsedName>(parsed) : std::nullopt;
}

// What 4 bytes a value and any position come to is as much as the model: not worth encoding.
bool TooMany(uint64_t entries, const VersionRow& version) {
  return entries > kMaxEntries || entries * sizeof(float) >= version.downlink.total_size;
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> Encode(const ModelSpec& model, const ChangedPositions& positions,
                                                            const Digest& base_id, const std::string& weights,
                                                            const std::string& path) {
  TW_ASSIGN_OR_RETURN(SafetensorsReader newer, SafetensorsReader::Open(weights));
  TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodeChanges(model, positions, newer, base_id, path));
  return StoredPayload::Open(path, ref, ChangesSpec(model, positions.count()));
}

}  // namespace

ChangeStore::ChangeStore(const std::string& state_directory) : folder_(JoinPath(state_directory, "changes")) {}

absl::Status ChangeStore::MakeFolder() const { return MakeDirectories(folder_); }

std::optional<ChangeStore::Step> ChangeStore::Load(const ModelSpec& model, const std::string& name, uint64_t newest,
                                                   uint64_t* version) const {
  const std::optional<ParsedName> parsed = ParseName(name);
  if (!parsed.has_value() || parsed->version > newest || parsed->entries > model.total_count()) return std::nullopt;
  Step step{parsed->from, JoinPath(folder_, name), nullptr};
  absl::StatusOr<std::shared_ptr<const StoredPayload>> changes =
      StoredPayload::Open(step.path, PayloadRef{}, ChangesSpec(model, parsed->entries));
  if (!changes.ok()) return std::nullopt;
  step.changes = *std::move(changes);
  *version = parsed->version;
  return step;
}

absl::Status ChangeStore::Recover(const ModelSpec& model, uint64_t newest) {
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  for (const std::string& name : names) {
    uint64_t version = 0;
    std::optional<Step> step = Load(model, name, newest, &version);
    if (!step.has_value()) {
      TW_RETURN_IF_ERROR(RemoveFile(JoinPath(folder_, name)));
      continue;
    }
    MutexLock lock(mutex_);
    steps_[version] = *std::move(step);
  }
  return absl::OkStatus();
}

void ChangeStore::Write(const ModelSpec& model, const VersionRow& base, const std::string& base_weights,
                        const VersionRow& next, const std::string& weights) {
  if (written_.has_value()) RemoveFile(Temporary(written_->path)).IgnoreError();  // of a version that was not to be
  absl::StatusOr<std::optional<Step>> step = Compare(model, base, base_weights, next, weights);
  written_ = step.ok() ? *std::move(step) : std::nullopt;
}

absl::StatusOr<std::optional<ChangeStore::Step>> ChangeStore::Compare(const ModelSpec& model, const VersionRow& base,
                                                                      const std::string& base_weights,
                                                                      const VersionRow& next,
                                                                      const std::string& weights) const {
  TW_ASSIGN_OR_RETURN(SafetensorsReader older, SafetensorsReader::Open(base_weights));
  TW_ASSIGN_OR_RETURN(SafetensorsReader newer, SafetensorsReader::Open(weights));
  TW_ASSIGN_OR_RETURN(const ChangedPositions positions, CompareVersions(model, older, newer));
  const uint64_t entries = positions.count();
  if (TooMany(entries, next)) return std::optional<Step>();
  Step step{base.version, JoinPath(folder_, NameOf(next.version, base.version, entries)), nullptr};
  const std::string temporary = Temporary(step.path);
  absl::StatusOr<std::shared_ptr<const StoredPayload>> changes =
      Encode(model, positions, base.downlink.id, weights, temporary);
  if (!changes.ok() || (*changes)->ref().total_size >= next.downlink.total_size) {
    RemoveFile(temporary).IgnoreError();
    return std::optional<Step>();
  }
  step.changes = *std::move(changes);
  return std::optional<Step>(std::move(step));
}

void ChangeStore::Install() {
  if (written_.has_value() && !RenameUnsynced(Temporary(written_->path), written_->path).ok()) written_.reset();
}

void ChangeStore::Enter(const VersionRow& next) {
  std::optional<Step> step = std::exchange(written_, std::nullopt);
  if (!step.has_value()) return;
  MutexLock lock(mutex_);
  steps_[next.version] = *std::move(step);
  uint64_t bytes = 0;
  for (const auto& [version, kept] : steps_) bytes += kept.changes->ref().total_size;
  while (bytes > 2 * next.downlink.total_size) {
    bytes -= steps_.begin()->second.changes->ref().total_size;
    RemoveFile(steps_.begin()->second.path).IgnoreError();
    steps_.erase(steps_.begin());
  }
}

uint32_t ChangeStore::Missed(uint64_t version, const Digest& held) const {
  MutexLock lock(mutex_);
  for (auto step = steps_.find(version); step != steps_.end(); step = steps_.find(step->second.from)) {
    if (step->second.changes->reader().manifest().base_id == held) {
      return static_cast<uint32_t>(version - step->second.from);
    }
  }
  return 0;
}

std::vector<std::shared_ptr<const StoredPayload>> ChangeStore::StepsBetween(uint64_t from, uint64_t version) const {
  std::vector<std::shared_ptr<const StoredPayload>> steps;
  MutexLock lock(mutex_);
  while (version > from) {
    const auto step = steps_.find(version);
    if (step == steps_.end()) return {};
    steps.push_back(step->second.changes);
    version = step->second.from;
  }
  if (version != from) steps.clear();
  return steps;
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ChangeStore::Make(const ModelSpec& model, const VersionRow& row,
                                                                       uint32_t missed, const std::string& weights,
                                                                       const std::string& path) const {
  const std::vector<std::shared_ptr<const StoredPayload>> steps = StepsBetween(row.version - missed, row.version);
  if (steps.size() == 1) return steps[0];
  std::shared_ptr<const StoredPayload> whole;
  if (steps.empty()) return whole;
  ChangedPositions positions(model.count(TensorRole::kTrainable));
  for (const auto& step : steps) TW_RETURN_IF_ERROR(AddPositions(step->reader(), &positions));
  if (TooMany(positions.count(), row)) return whole;
  const Digest base_id = steps.back()->reader().manifest().base_id;
  TW_ASSIGN_OR_RETURN(std::shared_ptr<const StoredPayload> made, Encode(model, positions, base_id, weights, path));
  if (made->ref().total_size < row.downlink.total_size) return made;
  RemoveFile(path).IgnoreError();
  return whole;
}

}  // namespace thinwire
