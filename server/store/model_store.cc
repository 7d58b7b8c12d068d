#include "server/store/model_store.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/safetensors.h"
#include "server/aggregate/folder.h"
#include "server/store/fail_point.h"

namespace thinwire {
namespace {

// Temporary files of a version that was not to be.
void RemoveTemporary(const VersionFiles& files, const VersionRow& row) {
  for (const std::string& file : {files.Weights(row), files.State(row), files.Payload(row), files.Frozen()}) {
    if (!file.empty()) RemoveFile(Temporary(file)).IgnoreError();  // the first error is the one to report
  }
}

// An upload of initial weights must be exact, and must be what the client said its model is.
absl::Status CheckInitialPayload(const PayloadReader& reader, const ModelSpec& spec) {
  if (reader.manifest().representation != Representation::kModel || !reader.manifest().base_id.empty()) {
    return absl::InvalidArgumentError("initial weights are a whole model without a base, this payload is not");
  }
  TW_ASSIGN_OR_RETURN(const uint64_t size, MaxPayloadSize(spec, Representation::kModel, CodecSpec::Fp32()));
  if (reader.ref().total_size == size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("initial weights travel as FP32, which makes ", size,
                                                 " bytes of this model, the payload has ", reader.ref().total_size));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelStore>> ModelStore::Open(const ModelStoreOptions& options, Journal* journal) {
  std::unique_ptr<ModelStore> store(new ModelStore(options, journal));
  TW_RETURN_IF_ERROR(store->files_.MakeFolders());
  TW_RETURN_IF_ERROR(store->OpenBases());
  if (SendsChanges(options.plan)) {
    store->changes_ = std::make_unique<ChangeStore>(options.directory);
    TW_RETURN_IF_ERROR(store->changes_->MakeFolder());
  }
  TW_RETURN_IF_ERROR(store->Recover());
  return store;
}

std::shared_ptr<const ModelSpec> ModelStore::spec() const {
  MutexLock lock(mutex_);
  return spec_;
}

std::optional<VersionRow> ModelStore::Latest() const {
  MutexLock lock(mutex_);
  if (versions_.empty()) return std::nullopt;
  return versions_.rbegin()->second;
}

absl::StatusOr<VersionRow> ModelStore::FindRow(uint64_t version) const {
  MutexLock lock(mutex_);
  const auto it = versions_.find(version);
  if (it != versions_.end()) return it->second;
  return absl::NotFoundError(absl::StrCat("version ", version, " is not here (any more)"));
}

absl::StatusOr<VersionRow> ModelStore::ImportSafetensors(const std::string& path) {
  TW_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::Open(path));
  const ModelSpec model = reader.spec();
  absl::StatusOr<VersionRow> row = Import(model, reader, {});
  if (row.ok()) return row;
  return absl::Status(row.status().code(), absl::StrCat(path, ": ", row.status().message()));
}

absl::StatusOr<VersionRow> ModelStore::ImportPayload(const std::string& path, const PayloadRef& payload,
                                                     const ModelSpec& model, const std::string& assignment) {
  if (model.count(TensorRole::kFrozen) > 0) {
    return absl::InvalidArgumentError("a model with frozen tensors starts from a file, see model.safetensors");
  }
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::Open(path, payload, model));
  TW_RETURN_IF_ERROR(CheckInitialPayload(reader, model));
  PayloadSource source(reader);
  return Import(model, source, {assignment});
}

absl::StatusOr<VersionRow> ModelStore::Import(const ModelSpec& model, BlockSource& source,
                                              const std::vector<std::string>& folded) {
  MutexLock lock(writing_);
  if (Latest().has_value()) return absl::FailedPreconditionError("the run has its weights already");
  return bases_ != nullptr ? ImportInSubspace(model, source, folded)
                           : ImportVersion(model, source, folded, std::nullopt);
}

absl::StatusOr<VersionRow> ModelStore::ImportVersion(const ModelSpec& model, BlockSource& source,
                                                     const std::vector<std::string>& folded,
                                                     const std::optional<BasisRow>& basis) {
  VersionRow row = NewVersionRow(0, /*has_state=*/false);
  const auto shared = std::make_shared<const ModelSpec>(model);
  const absl::Status written = WriteInitial(model, source, &row);
  const absl::Status installed = written.ok() ? Install(shared, row, std::nullopt, folded, {}, basis) : written;
  if (installed.ok()) return row;
  RemoveTemporary(files_, row);
  MutexLock forget(mutex_);
  frozen_ = nullptr;
  return installed;
}

absl::Status ModelStore::WriteInitial(const ModelSpec& model, BlockSource& source, VersionRow* row) {
  TW_ASSIGN_OR_RETURN(row->weights_sha256, CreateSafetensors(Temporary(files_.Weights(*row)), model, source));
  // Encoding refuses NaN and infinity, in frozen tensors too.
  TW_RETURN_IF_ERROR(EncodeDownlink(model, row));
  if (model.count(TensorRole::kFrozen) > 0) {
    TW_ASSIGN_OR_RETURN(SafetensorsReader weights, SafetensorsReader::Open(Temporary(files_.Weights(*row))));
    const EncodeOptions options{Representation::kFrozen, options_.downlink, {}};
    const std::string temporary = Temporary(files_.Frozen());
    TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodeDurably(model, options, weights, temporary));
    TW_RETURN_IF_ERROR(RenameDurably(temporary, files_.Frozen()));
    TW_ASSIGN_OR_RETURN(std::shared_ptr<const StoredPayload> frozen, StoredPayload::Open(files_.Frozen(), ref, model));
    MutexLock lock(mutex_);
    frozen_ = std::move(frozen);
  }
  PassFailPoint(FailPoint::kAfterVersionWrite);
  return absl::OkStatus();
}

absl::Status ModelStore::EncodeDownlink(const ModelSpec& model, VersionRow* row) {
  const Monotonic start = Clock::System()->Now();
  TW_ASSIGN_OR_RETURN(row->downlink, EncodeVariant(model, row->version, 0, Temporary(files_.Weights(*row)),
                                                   Temporary(files_.Payload(*row))));
  encoded_(Clock::System()->Now() - start);
  const ModelSpec trained = bases_ != nullptr ? *bases_->model() : model;
  TW_ASSIGN_OR_RETURN(row->fp32_downlink_size, MaxPayloadSize(trained, Representation::kModel, CodecSpec::Fp32()));
  return absl::OkStatus();
}

absl::StatusOr<VersionRow> ModelStore::Publish(const PublishVersion& request) {
  MutexLock lock(writing_);
  TW_ASSIGN_OR_RETURN(const VersionRow base, FindRow(request.base_version));
  const uint64_t newest = Latest()->version;
  if (request.new_version <= newest || request.aggregate == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("version ", request.new_version, " cannot be published, the newest is ", newest));
  }
  VersionRow row = NewVersionRow(request.new_version, request.strategy.has_state());
  row.round = request.round.round;
  const absl::StatusOr<std::optional<BasisRow>> basis = WriteNext(request, base, &row);
  if (!basis.ok()) {
    RemoveTemporary(files_, row);
    return basis.status();
  }
  RoundRow round = request.round;
  round.version = request.new_version;
  TW_RETURN_IF_ERROR(Install(spec(), row, round, request.folded, request.pinned, *basis));
  if (changes_ != nullptr) changes_->Enter(row);
  return row;
}

absl::StatusOr<std::optional<BasisRow>> ModelStore::WriteNext(const PublishVersion& request, const VersionRow& base,
                                                              VersionRow* row) {
  PublishRequest files;
  files.old_weights = files_.Weights(base);
  // Momentum of coordinates means nothing in another basis.
  const bool new_basis = bases_ != nullptr && bases_->BeginsEpoch(base.version);
  files.old_state = new_basis ? "" : files_.State(base);
  files.new_weights = Temporary(files_.Weights(*row));
  files.new_state = Temporary(files_.State(*row));
  files.strategy = request.strategy;
  const std::shared_ptr<const ModelSpec> model = spec();
  TW_ASSIGN_OR_RETURN(const WrittenVersion written, WriteNewVersion(*model, *request.aggregate, files));
  TW_ASSIGN_OR_RETURN(const std::optional<BasisRow> basis, EndEpoch(*row));
  row->weights_sha256 = written.weights_sha256;
  if (basis.has_value()) {
    TW_ASSIGN_OR_RETURN(row->weights_sha256, HashFile(files.new_weights));
  }
  row->state_sha256 = written.state_sha256;
  TW_RETURN_IF_ERROR(EncodeDownlink(*model, row));
  if (changes_ != nullptr) changes_->Write(*model, base, files.old_weights, *row, files.new_weights);
  PassFailPoint(FailPoint::kAfterVersionWrite);
  return basis;
}

absl::Status ModelStore::Install(const std::shared_ptr<const ModelSpec>& model, const VersionRow& row,
                                 const std::optional<RoundRow>& round, const std::vector<std::string>& folded,
                                 const std::vector<uint64_t>& pinned, const std::optional<BasisRow>& basis) {
  if (basis.has_value()) TW_RETURN_IF_ERROR(bases_->Install(*basis));
  TW_RETURN_IF_ERROR(files_.Install(row));
  TW_RETURN_IF_ERROR(files_.SyncFolders());
  if (changes_ != nullptr) changes_->Install();
  PassFailPoint(FailPoint::kAfterVersionRename);
  TW_ASSIGN_OR_RETURN(std::shared_ptr<const StoredPayload> payload,
                      StoredPayload::Open(files_.Payload(row), row.downlink, *model));
  const std::vector<uint64_t> forgotten = NoLongerKept(row.version, pinned);
  // If this fails, the files stay: whether the commit reached the disk is for the next start to find out.
  TW_RETURN_IF_ERROR(journal_->Publish(row, round, folded, forgotten, basis));
  if (basis.has_value()) TW_RETURN_IF_ERROR(bases_->Enter(*basis));
  {
    MutexLock lock(mutex_);
    spec_ = model;
    versions_[row.version] = row;
    payloads_[row.version] = std::move(payload);
  }
  Forget(forgotten);
  return absl::OkStatus();
}

std::vector<uint64_t> ModelStore::NoLongerKept(std::optional<uint64_t> newest,
                                               const std::vector<uint64_t>& pinned) const {
  MutexLock lock(mutex_);
  size_t room = std::max<size_t>(options_.keep_versions, 1) - (newest.has_value() ? 1 : 0);
  std::vector<uint64_t> gone;
  for (auto it = versions_.rbegin(); it != versions_.rend(); ++it) {
    const bool kept = room > 0;
    if (kept) --room;
    const bool in_use = std::find(pinned.begin(), pinned.end(), it->first) != pinned.end();
    if (!kept && !in_use) gone.push_back(it->first);
  }
  return gone;
}

// After the journal has forgotten them. A file that stays is removed at the next start.
void ModelStore::Forget(const std::vector<uint64_t>& versions) {
  for (const uint64_t version : versions) {
    VersionRow row;
    std::vector<uint32_t> made;
    {
      MutexLock lock(mutex_);
      row = versions_[version];
      versions_.erase(version);
      payloads_.erase(version);
      const auto first = variants_.lower_bound({version, 0}), last = variants_.lower_bound({version + 1, 0});
      for (auto it = first; it != last; ++it) made.push_back(it->first.second);
      variants_.erase(first, last);
    }
    files_.Remove(row).IgnoreError();
    for (const uint32_t variant : made) RemoveFile(files_.Variant(row, variant)).IgnoreError();
  }
  if (bases_ == nullptr) return;
  std::optional<uint64_t> oldest;
  {
    MutexLock lock(mutex_);
    if (!versions_.empty()) oldest = versions_.begin()->first;
  }
  if (oldest.has_value()) bases_->Prune(*oldest);
}

absl::Status ModelStore::Retain(const std::vector<uint64_t>& pinned) {
  MutexLock lock(writing_);
  const std::vector<uint64_t> gone = NoLongerKept(std::nullopt, pinned);
  if (gone.empty()) return absl::OkStatus();
  TW_RETURN_IF_ERROR(journal_->ForgetVersions(gone));
  Forget(gone);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::Downlink(uint64_t version) const {
  MutexLock lock(mutex_);
  const auto it = payloads_.find(version);
  if (it != payloads_.end()) return it->second;
  return absl::NotFoundError(absl::StrCat("version ", version, " is not here (any more)"));
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::FindPayload(const Digest& id) const {
  MutexLock lock(mutex_);
  if (frozen_ != nullptr && frozen_->ref().id == id) return frozen_;
  for (auto it = payloads_.rbegin(); it != payloads_.rend(); ++it) {
    if (it->second->ref().id == id) return it->second;
  }
  for (const auto& [key, payload] : variants_) {
    if (payload->ref().id == id) return payload;
  }
  if (bases_ != nullptr) {
    if (std::shared_ptr<const StoredPayload> snapshot = bases_->FindSnapshot(id)) return snapshot;
  }
  return absl::NotFoundError(absl::StrCat("payload ", id.Hex(), " is not here (any more); await a new assignment"));
}

std::shared_ptr<const StoredPayload> ModelStore::Frozen() const {
  MutexLock lock(mutex_);
  return frozen_;
}

absl::StatusOr<std::vector<double>> ModelStore::ValueBoundsOf(uint64_t version, double max_update_norm) const {
  TW_ASSIGN_OR_RETURN(const VersionRow row, FindRow(version));
  TW_ASSIGN_OR_RETURN(SafetensorsReader weights, SafetensorsReader::Open(files_.Weights(row)));
  TW_ASSIGN_OR_RETURN(const std::vector<double> bounds, ValueBounds(weights.spec(), weights, max_update_norm));
  if (!options_.plan.sketch.has_value()) return bounds;
  // A row of a sketch is as large as its update, give or take; all rows together are bounded.
  std::vector<double> of_sums = {max_update_norm * std::sqrt(static_cast<double>(options_.plan.sketch->rows))};
  const std::vector<uint32_t> tensors = TensorsOfReducedUpdate(weights.spec());
  for (size_t i = 1; i < tensors.size(); ++i) of_sums.push_back(bounds[tensors[i]]);
  return of_sums;
}

absl::StatusOr<File> ModelStore::OpenWeights(uint64_t version) const {
  TW_ASSIGN_OR_RETURN(const VersionRow row, FindRow(version));
  return bases_ != nullptr ? OpenExpanded(row) : File::OpenForRead(files_.Weights(row));
}

absl::StatusOr<std::string> ModelStore::Export() const {
  const std::optional<VersionRow> row = Latest();
  if (!row.has_value()) return absl::FailedPreconditionError("there is no version to export yet");
  const std::string target = files_.Exported(row->version);
  if (bases_ != nullptr) {
    TW_RETURN_IF_ERROR(ExpandVersion(*row, target));
    return target;
  }
  TW_RETURN_IF_ERROR(CopyDurably(files_.Weights(*row), target));
  return target;
}

}  // namespace thinwire
