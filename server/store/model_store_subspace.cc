// The model store of a run in a subspace: versions are coordinates, and bases lie beside them (basis_store.h).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/safetensors.h"
#include "server/store/model_store.h"
#include "server/store/rename.h"

namespace thinwire {
namespace {

// The first version of an epoch: no coordinate has moved, buffers are what they were.
class EpochStart : public BlockSource {
 public:
  // `buffers`: where in `source` the buffers are, in a version's order.
  EpochStart(BlockSource& source, std::vector<uint32_t> buffers) : source_(source), buffers_(std::move(buffers)) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    if (tensor > 0) return source_.ReadFloats(buffers_[tensor - 1], first, out);
    std::fill(out.begin(), out.end(), 0.0f);
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return source_.ReadInts(buffers_[tensor - 1], first, out);
  }

 private:
  BlockSource& source_;
  const std::vector<uint32_t> buffers_;
};

}  // namespace

std::shared_ptr<const ModelSpec> ModelStore::model() const { return bases_ != nullptr ? bases_->model() : spec(); }

absl::Status ModelStore::OpenBases() {
  if (!options_.subspace.has_value()) return absl::OkStatus();
  bases_ = std::make_unique<BasisStore>(
      BasisStoreOptions{options_.directory, *options_.subspace, options_.downlink, options_.seed});
  return bases_->MakeFolder();
}

absl::Status ModelStore::RecoverBases(const std::vector<VersionRow>& versions) {
  if (bases_ == nullptr) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const std::vector<BasisRow> rows, journal_->Bases());
  return bases_->Recover(rows, versions, &recovery_.damaged);
}

absl::StatusOr<VersionRow> ModelStore::ImportInSubspace(const ModelSpec& model, BlockSource& source,
                                                        const std::vector<std::string>& folded) {
  TW_ASSIGN_OR_RETURN(const BasisRow basis, bases_->WriteFirst(model, source));
  EpochStart start(source, BufferTensors(model));
  absl::StatusOr<VersionRow> row = ImportVersion(bases_->VersionSpec(), start, folded, basis);
  if (!row.ok()) bases_->Abandon(basis);
  return row;
}

absl::StatusOr<std::optional<BasisRow>> ModelStore::EndEpoch(const VersionRow& row) {
  if (bases_ == nullptr || !bases_->BeginsEpoch(row.version)) return std::optional<BasisRow>();
  const std::string written = Temporary(files_.Weights(row));
  TW_ASSIGN_OR_RETURN(SafetensorsReader last, SafetensorsReader::Open(written));
  TW_ASSIGN_OR_RETURN(const BasisRow basis, bases_->WriteNext(row.version, last));
  std::vector<uint32_t> buffers(last.spec().tensors().size() - 1);
  for (size_t i = 0; i < buffers.size(); ++i) buffers[i] = static_cast<uint32_t>(i + 1);
  EpochStart start(last, std::move(buffers));
  // Beside it, then in its place: the reader goes on reading the old file.
  TW_RETURN_IF_ERROR(WriteSafetensors(written, last.spec(), start));
  return std::optional<BasisRow>(basis);
}

ModelSpec ModelStore::VariantSpec(uint32_t variant) const {
  return bases_ != nullptr && variant > 0 ? bases_->SpecWith(variant) : *spec();
}

std::shared_ptr<const ModelSpec> ModelStore::update_spec() const {
  const std::shared_ptr<const ModelSpec> trained = model();
  if (trained == nullptr) return trained;
  const bool reduced = SendsReducedUpdates(options_.plan);
  if (bases_ == nullptr && !reduced) return trained;
  const ModelSpec whole = bases_ == nullptr ? *trained : CoordinatesUpdateSpec(*trained, bases_->plan());
  return std::make_shared<const ModelSpec>(reduced ? ReducedUpdateSpec(options_.plan, whole) : whole);
}

std::shared_ptr<const ModelSpec> ModelStore::sum_spec() const {
  return options_.plan.sketch.has_value() ? update_spec() : spec();
}

absl::StatusOr<BasisDelivery> ModelStore::DeliveryTo(uint64_t version, const std::optional<HeldBasis>& held) const {
  TW_RETURN_IF_ERROR(FindRow(version).status());
  return bases_->DeliveryTo(version, held);
}

absl::Status ModelStore::ExpandVersion(const VersionRow& row, const std::string& path) const {
  TW_ASSIGN_OR_RETURN(SafetensorsReader coordinates, SafetensorsReader::Open(files_.Weights(row)));
  return bases_->Expand(row.version, coordinates, path);
}

absl::StatusOr<File> ModelStore::OpenExpanded(const VersionRow& row) const {
  const std::string path = absl::StrCat(files_.Exported(row.version), ".", next_expansion_++, ".tmp");
  TW_RETURN_IF_ERROR(ExpandVersion(row, path));
  absl::StatusOr<File> file = File::OpenForRead(path);
  RemoveFile(path).IgnoreError();  // it stays readable for as long as it is open
  return file;
}

uint64_t ModelStore::Fp32SizeOf(const StoredPayload& payload) const {
  const std::shared_ptr<const ModelSpec> trained = model();
  if (bases_ != nullptr && bases_->FindSnapshot(payload.ref().id) != nullptr) return 0;
  return MaxPayloadSize(*trained, payload.reader().manifest().representation, CodecSpec::Fp32()).value_or(0);
}

}  // namespace thinwire
