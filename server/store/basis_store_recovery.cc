// What the basis store does when it opens: unknown files go, damage is found, repaired or named.
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors.h"
#include "server/store/basis_store.h"
#include "server/store/version_files.h"

namespace thinwire {
namespace {

absl::Status CheckHash(const std::string& path, const Digest& expected) {
  TW_ASSIGN_OR_RETURN(const Digest actual, HashFile(path));
  if (actual == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has the SHA-256 ", actual.Hex(), ", the journal says ", expected.Hex()));
}

}  // namespace

absl::Status BasisStore::Recover(const std::vector<BasisRow>& rows, const std::vector<VersionRow>& versions,
                                 std::vector<std::string>* damaged) {
  if (rows.empty() || versions.empty()) return RemoveUnknown({}, 0);
  TW_ASSIGN_OR_RETURN(const SafetensorsReader whole, SafetensorsReader::Open(ModelPath()));
  {
    MutexLock lock(mutex_);
    model_ = std::make_shared<const ModelSpec>(whole.spec());
    for (const BasisRow& row : rows) rows_[row.epoch] = row;
  }
  const uint64_t first_needed = EpochOf(versions.front().version);
  for (const BasisRow& row : rows) TW_RETURN_IF_ERROR(RecoverFiles(row, row.epoch >= first_needed, damaged));
  return RemoveUnknown(rows, first_needed);
}

absl::Status BasisStore::RecoverFiles(const BasisRow& row, bool needed, std::vector<std::string>* damaged) {
  if (row.epoch > 0) {
    const absl::Status history = CheckHash(FinalPath(row.epoch - 1), row.final_sha256);
    if (!history.ok()) {
      damaged->push_back(absl::StrCat("last coordinates of epoch ", row.epoch - 1,
                                      ", clients that lack them are sent the whole model: ", history.message()));
      MutexLock lock(mutex_);
      first_final_ = row.epoch;
    }
  }
  if (!needed) return absl::OkStatus();
  const absl::Status basis = CheckHash(BasisPath(row.epoch), row.sha256);
  if (!basis.ok()) {
    return absl::DataLossError(absl::StrCat("theta of epoch ", row.epoch, " is not intact: ", basis.message(),
                                            "; restore the folder from a backup, or name another storage.directory"));
  }
  const std::string path = SnapshotPath(row.epoch);
  const ModelSpec spec = BasisSpec(*model());
  const absl::StatusOr<std::shared_ptr<const StoredPayload>> snapshot = StoredPayload::Open(path, row.snapshot, spec);
  if (!snapshot.ok() || !(*snapshot)->Verify().ok()) {
    damaged->push_back(absl::StrCat(path, ": made anew"));
    TW_RETURN_IF_ERROR(WriteSnapshot(*model(), BasisPath(row.epoch), Temporary(path)).status());
    TW_RETURN_IF_ERROR(RenameDurably(Temporary(path), path));
  }
  return Enter(row);
}

absl::Status BasisStore::RemoveUnknown(const std::vector<BasisRow>& rows, uint64_t first_needed) const {
  std::set<std::string> known;
  for (const BasisRow& row : rows) {
    known.insert(ModelPath());
    if (row.epoch > 0) known.insert(FinalPath(row.epoch - 1));
    if (row.epoch < first_needed) continue;
    known.insert(BasisPath(row.epoch));
    known.insert(SnapshotPath(row.epoch));
  }
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  for (const std::string& name : names) {
    const std::string path = JoinPath(folder_, name);
    if (known.count(path) == 0) TW_RETURN_IF_ERROR(RemoveFile(path));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
