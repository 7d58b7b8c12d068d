#include "server/store/basis_store.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "common/subspace/trainable_vector.h"
#include "common/tensor/safetensors.h"
#include "server/store/basis_sources.h"
#include "server/store/fail_point.h"
#include "server/store/rename.h"
#include "server/store/version_files.h"

namespace thinwire {
namespace {

uint64_t EncodedSize(const ModelSpec& spec, const CodecSpec& codec) {
  return MaxPayloadSize(spec, Representation::kModel, codec).value_or(~uint64_t{0});
}

}  // namespace

BasisStore::BasisStore(const BasisStoreOptions& options)
    : options_(options), folder_(JoinPath(options.directory, "bases")) {}

absl::Status BasisStore::MakeFolder() const { return MakeDirectories(folder_); }

std::string BasisStore::ModelPath() const { return JoinPath(folder_, "theta0.safetensors"); }
std::string BasisStore::BasisPath(uint64_t epoch) const {
  return JoinPath(folder_, absl::StrFormat("b%08d.basis", epoch));
}
std::string BasisStore::SnapshotPath(uint64_t epoch) const {
  return JoinPath(folder_, absl::StrFormat("b%08d.payload", epoch));
}
std::string BasisStore::FinalPath(uint64_t epoch) const {
  return JoinPath(folder_, absl::StrFormat("f%08d.basis", epoch));
}

std::shared_ptr<const ModelSpec> BasisStore::model() const {
  MutexLock lock(mutex_);
  return model_;
}

std::optional<BasisRow> BasisStore::RowOf(uint64_t epoch) const {
  MutexLock lock(mutex_);
  const auto it = rows_.find(epoch);
  return it == rows_.end() ? std::nullopt : std::optional<BasisRow>(it->second);
}

uint64_t BasisStore::EpochOf(uint64_t version) const {
  MutexLock lock(mutex_);
  uint64_t epoch = 0;
  for (const auto& [number, row] : rows_) {
    if (row.first_version <= version) epoch = number;
  }
  return epoch;
}

bool BasisStore::BeginsEpoch(uint64_t version) const {
  MutexLock lock(mutex_);
  if (rows_.empty()) return true;
  for (const auto& [number, row] : rows_) {
    if (row.first_version == version) return true;
  }
  const uint64_t first = rows_.rbegin()->second.first_version;
  return options_.plan.epoch_rounds > 0 && version >= first + options_.plan.epoch_rounds;
}

// ---- Writing ---------------------------------------------------------------------------------------------------

absl::StatusOr<PayloadRef> BasisStore::WriteSnapshot(const ModelSpec& model, const std::string& basis,
                                                     const std::string& path) const {
  TW_ASSIGN_OR_RETURN(BasisFile file, BasisFile::Open(basis, model.count(TensorRole::kTrainable)));
  return EncodeDurably(BasisSpec(model), {Representation::kModel, CodecSpec::Fp32(), {}}, file, path);
}

absl::StatusOr<BasisRow> BasisStore::WriteFirst(const ModelSpec& model, BlockSource& source) {
  TW_RETURN_IF_ERROR(CheckSubspaceFits(options_.plan, model));
  TW_RETURN_IF_ERROR(WriteSafetensors(ModelPath(), model, source));
  TW_ASSIGN_OR_RETURN(SafetensorsReader whole, SafetensorsReader::Open(ModelPath()));
  const TrainableVector order(model);
  BasisRow row;
  const std::string basis = Temporary(BasisPath(0));
  TW_ASSIGN_OR_RETURN(row.sha256, WriteBasis(basis, order.size(), [&](uint64_t first, absl::Span<float> out) {
                        return order.Read(whole, first, out);
                      }));
  TW_ASSIGN_OR_RETURN(row.snapshot, WriteSnapshot(model, basis, Temporary(SnapshotPath(0))));
  MutexLock lock(mutex_);
  model_ = std::make_shared<const ModelSpec>(model);
  return row;
}

absl::StatusOr<BasisRow> BasisStore::WriteNext(uint64_t version, BlockSource& final_coordinates) {
  const std::shared_ptr<const ModelSpec> trained = model();
  const uint64_t old_epoch = EpochOf(version);
  BasisRow row;
  row.epoch = old_epoch + 1;
  row.first_version = version;
  const ModelSpec spec = VersionSpec();
  // What clients fold is what they have decoded: so does the server.
  const std::string encoded = Temporary(JoinPath(folder_, "decoded"));
  TW_ASSIGN_OR_RETURN(const PayloadRef ref,
                      EncodePayload(spec, {Representation::kModel, options_.downlink, {}}, final_coordinates, encoded));
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::Open(encoded, ref, spec));
  PayloadSource decoded(reader);
  TW_ASSIGN_OR_RETURN(const std::vector<std::vector<float>> vectors, ReadCoordinates(decoded, spec, options_.plan, 0));
  TW_RETURN_IF_ERROR(RemoveFile(encoded));
  TW_ASSIGN_OR_RETURN(row.final_sha256, WriteBasis(Temporary(FinalPath(old_epoch)), spec.tensors()[0].count(),
                                                   [&](uint64_t first, absl::Span<float> out) {
                                                     return final_coordinates.ReadFloats(0, first, out);
                                                   }));
  const uint64_t size = trained->count(TensorRole::kTrainable);
  TW_ASSIGN_OR_RETURN(const std::vector<Fastfood> matrices,
                      MatricesOfEpoch(options_.plan, size, options_.run_seed, old_epoch));
  const std::string basis = Temporary(BasisPath(row.epoch));
  TW_ASSIGN_OR_RETURN(row.sha256, FoldBasis(BasisPath(old_epoch), matrices, vectors, basis));
  TW_ASSIGN_OR_RETURN(row.snapshot, WriteSnapshot(*trained, basis, Temporary(SnapshotPath(row.epoch))));
  PassFailPoint(FailPoint::kAfterBasisWrite);
  return row;
}

std::vector<std::pair<std::string, std::string>> BasisStore::NewFiles(const BasisRow& row) const {
  std::vector<std::string> names = {BasisPath(row.epoch), SnapshotPath(row.epoch)};
  if (row.epoch > 0) names.push_back(FinalPath(row.epoch - 1));
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& name : names) files.emplace_back(Temporary(name), name);
  return files;
}

void BasisStore::Abandon(const BasisRow& row) {
  for (const auto& [temporary, name] : NewFiles(row)) RemoveFile(temporary).IgnoreError();
  MutexLock lock(mutex_);
  if (row.epoch == 0) model_ = nullptr;
}

absl::Status BasisStore::Install(const BasisRow& row) const {
  for (const auto& [temporary, name] : NewFiles(row)) TW_RETURN_IF_ERROR(RenameUnsynced(temporary, name));
  TW_RETURN_IF_ERROR(SyncDirectory(folder_));
  PassFailPoint(FailPoint::kAfterBasisRename);
  return absl::OkStatus();
}

absl::Status BasisStore::Enter(const BasisRow& row) {
  TW_ASSIGN_OR_RETURN(std::shared_ptr<const StoredPayload> snapshot,
                      StoredPayload::Open(SnapshotPath(row.epoch), row.snapshot, BasisSpec(*model())));
  MutexLock lock(mutex_);
  rows_[row.epoch] = row;
  snapshots_[row.epoch] = std::move(snapshot);
  return absl::OkStatus();
}

void BasisStore::Prune(uint64_t oldest_version) {
  const uint64_t oldest_epoch = EpochOf(oldest_version);
  std::vector<uint64_t> gone;
  {
    MutexLock lock(mutex_);
    for (const auto& [epoch, snapshot] : snapshots_) {
      if (epoch < oldest_epoch) gone.push_back(epoch);
    }
    for (const uint64_t epoch : gone) snapshots_.erase(epoch);
  }
  // A file that stays is removed at the next start.
  for (const uint64_t epoch : gone) {
    RemoveFile(BasisPath(epoch)).IgnoreError();
    RemoveFile(SnapshotPath(epoch)).IgnoreError();
  }
}

// ---- What clients are sent -------------------------------------------------------------------------------------

absl::StatusOr<BasisDelivery> BasisStore::DeliveryTo(uint64_t version, const std::optional<HeldBasis>& held) const {
  const std::shared_ptr<const ModelSpec> trained = model();
  BasisDelivery delivery;
  delivery.epoch = EpochOf(version);
  std::optional<BasisRow> row = RowOf(delivery.epoch);
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("epoch ", delivery.epoch, " is not here"));
  delivery.sha256 = row->sha256;
  const std::optional<BasisRow> theirs = held.has_value() ? RowOf(held->epoch) : std::nullopt;
  MutexLock lock(mutex_);
  const auto it = snapshots_.find(delivery.epoch);
  const std::shared_ptr<const StoredPayload> snapshot = it == snapshots_.end() ? nullptr : it->second;
  const bool usable = theirs.has_value() && theirs->sha256 == held->sha256 && held->epoch <= delivery.epoch &&
                      (held->epoch == delivery.epoch || held->epoch >= first_final_) &&
                      delivery.epoch - held->epoch <= MostMissedEpochs(*trained, options_.plan);
  if (usable) {
    const uint64_t missed = delivery.epoch - held->epoch;
    const uint64_t whole = snapshot == nullptr ? ~uint64_t{0} : snapshot->ref().total_size;
    const uint64_t own = EncodedSize(CatchUpSpec(*trained, options_.plan, options_.downlink, 0), options_.downlink);
    const ModelSpec spec = CatchUpSpec(*trained, options_.plan, options_.downlink, missed);
    if (missed == 0 || EncodedSize(spec, options_.downlink) - own <= whole) {
      delivery.missed = static_cast<uint32_t>(missed);
      return delivery;
    }
  }
  delivery.snapshot = snapshot;
  if (snapshot == nullptr) return absl::NotFoundError(absl::StrCat("theta of epoch ", delivery.epoch, " is gone"));
  return delivery;
}

std::shared_ptr<const StoredPayload> BasisStore::FindSnapshot(const Digest& id) const {
  MutexLock lock(mutex_);
  for (const auto& [epoch, snapshot] : snapshots_) {
    if (snapshot->ref().id == id) return snapshot;
  }
  return nullptr;
}

absl::StatusOr<PayloadRef> BasisStore::EncodeCatchUp(uint64_t version, uint64_t missed, BlockSource& coordinates,
                                                     const std::string& path) const {
  const ModelSpec spec = SpecWith(missed);
  const uint64_t values = options_.plan.vectors * options_.plan.dimension, epoch = EpochOf(version);
  std::vector<BasisFile> finals;
  for (uint64_t i = missed; i > 0; --i) {
    TW_ASSIGN_OR_RETURN(BasisFile file, BasisFile::Open(FinalPath(epoch - i), values));
    finals.push_back(std::move(file));
  }
  CatchUpSource source(spec, std::move(finals), values, coordinates);
  return EncodeDurably(spec, {Representation::kModel, options_.downlink, {}}, source, path);
}

absl::Status BasisStore::Expand(uint64_t version, BlockSource& coordinates, const std::string& path) const {
  const std::shared_ptr<const ModelSpec> trained = model();
  const uint64_t size = trained->count(TensorRole::kTrainable), epoch = EpochOf(version);
  TW_ASSIGN_OR_RETURN(const std::vector<std::vector<float>> vectors,
                      ReadCoordinates(coordinates, VersionSpec(), options_.plan, 0));
  TW_ASSIGN_OR_RETURN(const std::vector<Fastfood> matrices,
                      MatricesOfEpoch(options_.plan, size, options_.run_seed, epoch));
  const std::string flat = absl::StrCat(path, ".flat.tmp");
  const auto write = [&]() -> absl::Status {
    TW_RETURN_IF_ERROR(FoldBasis(BasisPath(epoch), matrices, vectors, flat).status());
    TW_ASSIGN_OR_RETURN(const BasisFile theta, BasisFile::Open(flat, size));
    ExpandedSource source(*trained, theta, coordinates);
    return WriteSafetensors(path, *trained, source);
  };
  const absl::Status written = write();
  RemoveFile(flat).IgnoreError();  // the first error is the one to report
  return written;
}

absl::Status BasisStore::Link(uint64_t epoch, const std::string& path) const {
  if (::link(BasisPath(epoch).c_str(), path.c_str()) == 0) return absl::OkStatus();
  return CopyDurably(BasisPath(epoch), path);
}

}  // namespace thinwire
