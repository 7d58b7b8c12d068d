// What the model store does when it opens: leftovers go, damage is found, repaired or retreated from.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors.h"
#include "server/store/model_store.h"

namespace thinwire {
namespace {

absl::Status CheckHash(const std::string& path, const Digest& expected) {
  TW_ASSIGN_OR_RETURN(const Digest actual, HashFile(path));
  if (actual == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, " has the SHA-256 ", actual.Hex(), ", the journal says ", expected.Hex()));
}

absl::Status CheckFrozen(const StoredPayload& payload) {
  if (payload.reader().manifest().representation != Representation::kFrozen) {
    return absl::DataLossError("holds no frozen tensors");
  }
  return payload.Verify();
}

}  // namespace

absl::Status ModelStore::Recover() {
  TW_ASSIGN_OR_RETURN(std::vector<VersionRow> rows, journal_->Versions());
  TW_ASSIGN_OR_RETURN(recovery_.removed, files_.RemoveLeftovers(rows));
  if (rows.empty()) return RecoverBases(rows);
  TW_ASSIGN_OR_RETURN(rows, DropDamaged(std::move(rows)));
  TW_ASSIGN_OR_RETURN(const SafetensorsReader newest, SafetensorsReader::Open(files_.Weights(rows.back())));
  {
    MutexLock lock(mutex_);
    spec_ = std::make_shared<const ModelSpec>(newest.spec());
    for (const VersionRow& row : rows) versions_[row.version] = row;
  }
  TW_RETURN_IF_ERROR(RecoverBases(rows));
  if (changes_ != nullptr) TW_RETURN_IF_ERROR(changes_->Recover(newest.spec(), rows.back().version));
  return RecoverPayloads(rows);
}

absl::Status ModelStore::CheckWeights(const VersionRow& row) const {
  TW_RETURN_IF_ERROR(CheckHash(files_.Weights(row), row.weights_sha256));
  // Journals of schema 1 know no hash of the state.
  if (row.state_file.empty() || row.state_sha256.empty()) return absl::OkStatus();
  return CheckHash(files_.State(row), row.state_sha256);
}

// Nothing is revoked before an intact version is found: if there is none, everything stays for the operator to see.
absl::StatusOr<std::vector<VersionRow>> ModelStore::DropDamaged(std::vector<VersionRow> rows) {
  std::vector<std::pair<VersionRow, std::string>> damaged;
  while (!rows.empty()) {
    const absl::Status status = CheckWeights(rows.back());
    if (status.ok()) break;
    recovery_.damaged.push_back(absl::StrCat("version ", rows.back().version, ": ", status.message()));
    damaged.emplace_back(rows.back(), std::string(status.message()));
    rows.pop_back();
  }
  if (rows.empty()) {
    return absl::DataLossError(absl::StrCat("no version of the model is intact: ", damaged.front().second,
                                            "; restore the folder from a backup, or name another storage.directory"));
  }
  for (const auto& [row, fault] : damaged) {
    const std::string reason =
        absl::StrCat("its version ", row.version, " was damaged on disk, the run went back to version ",
                     rows.back().version, ": ", fault);
    TW_RETURN_IF_ERROR(journal_->RevokeVersion(row.version, reason));
    TW_RETURN_IF_ERROR(files_.SetAside(row));
    if (!recovery_.revoked_version.has_value()) recovery_.revoked_version = row.version;
  }
  return rows;
}

absl::Status ModelStore::RecoverPayloads(const std::vector<VersionRow>& rows) {
  for (const VersionRow& row : rows) {
    const bool newest = row.version == rows.back().version;
    absl::StatusOr<std::shared_ptr<const StoredPayload>> payload = OpenOrRepair(row, /*verify=*/newest);
    if (payload.ok()) {
      MutexLock lock(mutex_);
      payloads_[row.version] = *std::move(payload);
      continue;
    }
    if (newest) return payload.status();
    // An older version that nobody can be given any more.
    recovery_.damaged.push_back(absl::StrCat("version ", row.version, ": ", payload.status().message()));
    TW_RETURN_IF_ERROR(journal_->ForgetVersions({row.version}));
    TW_RETURN_IF_ERROR(files_.SetAside(row));
    MutexLock lock(mutex_);
    versions_.erase(row.version);
  }
  const bool has_frozen = spec()->count(TensorRole::kFrozen) > 0;
  if (!has_frozen) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(std::shared_ptr<const StoredPayload> frozen, OpenOrRepairFrozen(rows.back()));
  MutexLock lock(mutex_);
  frozen_ = std::move(frozen);
  return absl::OkStatus();
}

// A payload is a pure function of the weights and the plan: encoded again, it has the same id, which clients in the
// middle of a round may know.
absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::OpenOrRepair(const VersionRow& row, bool verify) {
  const std::string path = files_.Payload(row);
  const std::shared_ptr<const ModelSpec> model = spec();
  absl::StatusOr<std::shared_ptr<const StoredPayload>> payload = StoredPayload::Open(path, row.downlink, *model);
  const absl::Status fault = payload.ok() && verify ? (*payload)->Verify() : payload.status();
  if (fault.ok()) return payload;
  TW_RETURN_IF_ERROR(CheckWeights(row));
  TW_ASSIGN_OR_RETURN(const PayloadRef ref,
                      EncodeVariant(*model, row.version, 0, files_.Weights(row), Temporary(path)));
  if (!(ref == row.downlink)) {
    RemoveFile(Temporary(path)).IgnoreError();  // the damage is the one to report
    return absl::DataLossError(absl::StrCat(fault.message(),
                                            "; encoded again it would be another payload, since plan or "
                                            "program differ; restore the file from a backup"));
  }
  TW_RETURN_IF_ERROR(RenameDurably(Temporary(path), path));
  recovery_.repaired.push_back(absl::StrCat(path, ": ", fault.message()));
  return StoredPayload::Open(path, row.downlink, *model);
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::OpenOrRepairFrozen(const VersionRow& newest) {
  const std::string path = files_.Frozen();
  const std::shared_ptr<const ModelSpec> model = spec();
  absl::StatusOr<std::shared_ptr<const StoredPayload>> payload = StoredPayload::Open(path, PayloadRef{}, *model);
  const absl::Status fault = payload.ok() ? CheckFrozen(**payload) : payload.status();
  if (fault.ok()) return payload;
  TW_ASSIGN_OR_RETURN(SafetensorsReader weights, SafetensorsReader::Open(files_.Weights(newest)));
  const EncodeOptions options{Representation::kFrozen, options_.downlink, {}};
  TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodeDurably(*model, options, weights, Temporary(path)));
  TW_RETURN_IF_ERROR(RenameDurably(Temporary(path), path));
  recovery_.repaired.push_back(absl::StrCat(path, ": ", fault.message()));
  return StoredPayload::Open(path, ref, *model);
}

}  // namespace thinwire
