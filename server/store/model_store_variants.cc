// Variants of a version's payload. Under partial quantisation: the same weights, each with other row blocks left exact.
// Where clients are sent what changed: since how many versions.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/row_blocks.h"
#include "common/tensor/safetensors.h"
#include "server/store/model_store.h"
#include "server/store/rename.h"

namespace thinwire {

absl::StatusOr<PayloadRef> ModelStore::EncodeVariant(const ModelSpec& model, uint64_t version, uint32_t variant,
                                                     const std::string& weights, const std::string& path) const {
  TW_ASSIGN_OR_RETURN(SafetensorsReader source, SafetensorsReader::Open(weights));
  if (bases_ != nullptr && variant > 0) return bases_->EncodeCatchUp(version, variant, source, path);
  const uint64_t key = DeriveKey({options_.seed, version, KeyWord("exact row blocks of the version")});
  const RowBlockSet exact = DrawRowBlocks(model, options_.downlink, key, variant);
  const EncodeOptions options{Representation::kModel, options_.downlink, {}, &exact};
  return EncodeDurably(model, options, source, path);
}

std::shared_ptr<const StoredPayload> ModelStore::FindVariant(uint64_t version, uint32_t variant) const {
  if (variant == 0) return Downlink(version).value_or(nullptr);
  MutexLock lock(mutex_);
  const auto it = variants_.find({version, variant});
  return it == variants_.end() ? nullptr : it->second;
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::Variant(uint64_t version, uint32_t variant) {
  if (variant == 0) return Downlink(version);
  const VariantKey key(version, variant);
  {
    MutexLock lock(mutex_);
    while (making_.count(key) > 0) made_.Wait(mutex_);
    const auto it = variants_.find(key);
    if (it != variants_.end()) return it->second;
    making_.insert(key);
  }
  absl::StatusOr<std::shared_ptr<const StoredPayload>> made = MakeVariant(version, variant);
  MutexLock lock(mutex_);
  making_.erase(key);
  made_.NotifyAll();
  if (!made.ok()) return made;
  if (versions_.count(version) > 0) {
    variants_[key] = *made;
  } else {  // forgotten meanwhile
    RemoveFile(files_.Variant(NewVersionRow(version, false), variant)).IgnoreError();
  }
  return made;
}

absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::MakeVariant(uint64_t version, uint32_t variant) {
  TW_ASSIGN_OR_RETURN(const VersionRow row, FindRow(version));
  const Monotonic start = Clock::System()->Now();
  if (changes_ != nullptr) {
    absl::StatusOr<std::shared_ptr<const StoredPayload>> changes = MakeChanges(row, variant);
    encoded_(Clock::System()->Now() - start);
    return changes;
  }
  const std::shared_ptr<const ModelSpec> model = spec();
  const std::string path = files_.Variant(row, variant);
  // No temporary name: the file counts for nothing until it is entered here, and goes at the next start.
  const absl::StatusOr<PayloadRef> ref = EncodeVariant(*model, version, variant, files_.Weights(row), path);
  absl::StatusOr<std::shared_ptr<const StoredPayload>> payload =
      ref.ok() ? StoredPayload::Open(path, *ref, VariantSpec(variant)) : ref.status();
  if (!payload.ok()) RemoveFile(path).IgnoreError();  // the first error is the one to report
  encoded_(Clock::System()->Now() - start);
  return payload;
}

// What cannot be made is not worth a client's round: it takes the model.
absl::StatusOr<std::shared_ptr<const StoredPayload>> ModelStore::MakeChanges(const VersionRow& row,
                                                                             uint32_t missed) const {
  const std::string path = files_.Variant(row, missed);
  const absl::StatusOr<std::shared_ptr<const StoredPayload>> changes =
      changes_->Make(*spec(), row, missed, files_.Weights(row), path);
  if (!changes.ok()) RemoveFile(path).IgnoreError();
  return changes.ok() && *changes != nullptr ? changes : Downlink(row.version);
}

uint32_t ModelStore::ChangesSince(uint64_t version, const std::optional<Digest>& held) const {
  return changes_ != nullptr && held.has_value() ? changes_->Missed(version, *held) : 0;
}

}  // namespace thinwire
