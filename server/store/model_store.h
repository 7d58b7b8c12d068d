// The versions of the model on disk: full-precision weights, optimiser state, and the downlink payload, which is
// encoded once per version however many clients fetch it.
//
//   versions/vNNNNNNNN.safetensors   W, FP32, every tensor of the model
//   versions/vNNNNNNNN.state         the strategy's state (a safetensors file too), if it has any
//   payloads/vNNNNNNNN.payload       what clients download; with partial quantisation, variant 0 of it
//   payloads/vNNNNNNNN.I.payload     variant I, encoded when a client is to have it; not in the journal, made again
//                                    after a restart, bit for bit
//   payloads/frozen.payload          the frozen tensors, once per run, if the model has any
//   exported/model-vN.safetensors    what Export made
//
// Where a round moves only a part of the model, variant I is what changed in I versions (change_store.h).
//
// In a subspace (docs/igc.md) a version is coordinates, variant I of it has the last coordinates of the I epochs
// before, and basis_store.h says what else there is.
//
// Files are written under temporary names, synced and renamed; a version exists from the instant its row is committed
// to the journal, so a process killed at any instant leaves the old version or the new one, never a mixture.
#ifndef THINWIRE_SERVER_STORE_MODEL_STORE_H_
#define THINWIRE_SERVER_STORE_MODEL_STORE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/mutex.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"
#include "server/aggregate/round_aggregate.h"
#include "server/aggregate/strategy.h"
#include "server/store/basis_store.h"
#include "server/store/change_store.h"
#include "server/store/journal.h"
#include "server/store/stored_payload.h"
#include "server/store/version_files.h"

namespace thinwire {

struct ModelStoreOptions {
  std::string directory;       // the state directory; created if absent
  CodecSpec downlink;          // how trainable and frozen tensors travel down
  uint32_t keep_versions = 3;  // newest versions kept, at least 1 (with 1 a damaged file has nothing to fall back to)
  uint64_t seed = 0;           // of the run: which row blocks each variant of a version leaves exact
  std::optional<SubspacePlan> subspace = std::nullopt;
  ExchangePlan plan = Fp32Plan();  // what of an update clients send
};

// What was found and done when the store opened, for the log. All empty: nothing was amiss.
struct RecoveryReport {
  std::vector<std::string> removed;         // leftovers of a killed process
  std::vector<std::string> repaired;        // payloads encoded again from intact weights
  std::vector<std::string> damaged;         // what was wrong with which file (kept beside, with the suffix .damaged)
  std::optional<uint64_t> revoked_version;  // the newest version was damaged: the run goes on from the one before
};

struct PublishVersion {
  uint64_t base_version = 0;
  uint64_t new_version = 0;
  const RoundAggregate* aggregate = nullptr;
  StrategyOptions strategy;
  RoundRow round;                   // as it is to stand in the journal; `version` is filled in here
  std::vector<std::string> folded;  // assignments that this version consumes
  std::vector<uint64_t> pinned;     // versions still in use: under evaluation, or held by clients
};

// Thread-safe; Import*, Publish and Retain are taken one at a time.
class ModelStore {
 public:
  // `journal` must outlive the store. Removes leftovers, checks the newest version's files against the hashes in the
  // journal, and falls back to the version before if they are damaged: that version is revoked in the journal, its
  // round failed. DATA_LOSS, naming the file and the way out, if no version is intact.
  static absl::StatusOr<std::unique_ptr<ModelStore>> Open(const ModelStoreOptions& options, Journal* journal);
  const RecoveryReport& recovery() const { return recovery_; }
  // Told how long each encoding of a downlink took, its sync included. Call before the first version is made here.
  void SetEncodeObserver(std::function<void(absl::Duration)> observer) { encoded_ = std::move(observer); }

  // What versions are: the model, or in a subspace its coordinates and buffers. nullptr until there are initial
  // weights.
  std::shared_ptr<const ModelSpec> spec() const;
  // What is trained, and what clients send. Both are spec() but in a subspace, or if only a part of an update travels.
  std::shared_ptr<const ModelSpec> model() const;
  std::shared_ptr<const ModelSpec> update_spec() const;
  // What a round's sums are of: spec(), or what clients send if that is a sketch.
  std::shared_ptr<const ModelSpec> sum_spec() const;
  std::optional<VersionRow> Latest() const;

  // Version 0 from a safetensors file, or from a received FP32 model payload, which also settles `assignment` as
  // folded. INVALID_ARGUMENT, naming the tensor, if a value is not finite or the file does not fit; FAILED_PRECONDITION
  // if there is a version already. A model with frozen tensors can only come from a file: its payload does not carry
  // them.
  absl::StatusOr<VersionRow> ImportSafetensors(const std::string& path);
  absl::StatusOr<VersionRow> ImportPayload(const std::string& path, const PayloadRef& payload, const ModelSpec& spec,
                                           const std::string& assignment);

  // Old weights and the aggregate of the round's updates become a new version: written, encoded, synced, renamed, then
  // one journal transaction publishes it, closes the round, consumes the updates and forgets versions no longer kept.
  // INVALID_ARGUMENT if a result is not finite; on any error the old version stays current.
  absl::StatusOr<VersionRow> Publish(const PublishVersion& request);

  // The payload of a version, or by id (also the frozen one): NOT_FOUND if it is gone. In-memory look-ups, safe on any
  // thread.
  absl::StatusOr<std::shared_ptr<const StoredPayload>> Downlink(uint64_t version) const;
  absl::StatusOr<std::shared_ptr<const StoredPayload>> FindPayload(const Digest& id) const;
  // Variants of each version's payload: with partial quantisation as many as there are windows (DrawRowBlocks), so that
  // each row block is exact in one of them; else 1. Variant 0 is Downlink's.
  uint32_t variants() const { return std::max(options_.downlink.blocks.exact_one_in, 1u); }
  // A variant that has been made. nullptr if it has not. Any thread.
  std::shared_ptr<const StoredPayload> FindVariant(uint64_t version, uint32_t variant) const;
  // The same, made if need be: each one once, however many ask at the same time. Encodes a whole model: for workers.
  // NOT_FOUND if the version is gone. Thread-safe, several at a time.
  absl::StatusOr<std::shared_ptr<const StoredPayload>> Variant(uint64_t version, uint32_t variant);
  // In a subspace: what a client that has `held` is to be sent for a version, whichever is fewest bytes: variant
  // `missed`, or variant 0 and the snapshot. NOT_FOUND if the version is gone. A look-up.
  absl::StatusOr<BasisDelivery> DeliveryTo(uint64_t version, const std::optional<HeldBasis>& held) const;
  // Where clients are sent what changed (SendsChanges): the variant for one that has `held`, the payload of an older
  // version. That variant may turn out to be the model itself, if it is fewer bytes. 0: the model. A look-up.
  uint32_t ChangesSince(uint64_t version, const std::optional<Digest>& held) const;
  // Another name for the file of theta of an epoch that a stored version belongs to, for clients on the same disk.
  absl::Status LinkBasis(uint64_t epoch, const std::string& path) const { return bases_->Link(epoch, path); }
  // What `payload` would have been in FP32, for reports. 0 for a snapshot: that is what a subspace costs besides.
  uint64_t Fp32SizeOf(const StoredPayload& payload) const;
  // nullptr if the model has no frozen tensors, or there is no model yet.
  std::shared_ptr<const StoredPayload> Frozen() const;

  // Largest magnitudes to allow per tensor of sum_spec(), for ChooseFixedPoint, from the weights of a version (see
  // ValueBounds).
  absl::StatusOr<std::vector<double>> ValueBoundsOf(uint64_t version, double max_update_norm) const;

  // Removes all but the newest keep_versions and the pinned ones. Publish has done so already; this is for pins
  // released since.
  absl::Status Retain(const std::vector<uint64_t>& pinned);

  // The weights of a version as a safetensors file of model(), open. NOT_FOUND if it is gone. In a subspace it is made
  // for the caller, which takes as long as writing the model does.
  absl::StatusOr<File> OpenWeights(uint64_t version) const;
  // Copies the newest version to exported/model-vN.safetensors, atomically; returns the path. FAILED_PRECONDITION if
  // there is none.
  absl::StatusOr<std::string> Export() const;

 private:
  ModelStore(const ModelStoreOptions& options, Journal* journal)
      : options_(options), files_(options.directory), journal_(journal) {}

  // In a subspace, in model_store_subspace.cc.
  absl::Status OpenBases();
  absl::Status RecoverBases(const std::vector<VersionRow>& versions);
  absl::StatusOr<VersionRow> ImportInSubspace(const ModelSpec& model, BlockSource& source,
                                              const std::vector<std::string>& folded);
  // If `row`, written under temporary names, is to begin an epoch: folds its coordinates into the next basis, and makes
  // it the first version of that.
  absl::StatusOr<std::optional<BasisRow>> EndEpoch(const VersionRow& row);
  ModelSpec VariantSpec(uint32_t variant) const;
  absl::Status ExpandVersion(const VersionRow& row, const std::string& path) const;
  absl::StatusOr<File> OpenExpanded(const VersionRow& row) const;

  // Recovery, in model_store_recovery.cc.
  absl::Status Recover();
  absl::StatusOr<std::vector<VersionRow>> DropDamaged(std::vector<VersionRow> rows);
  absl::Status CheckWeights(const VersionRow& row) const;
  absl::Status RecoverPayloads(const std::vector<VersionRow>& rows);
  absl::StatusOr<std::shared_ptr<const StoredPayload>> OpenOrRepair(const VersionRow& row, bool verify);
  absl::StatusOr<std::shared_ptr<const StoredPayload>> OpenOrRepairFrozen(const VersionRow& newest);

  absl::StatusOr<VersionRow> Import(const ModelSpec& spec, BlockSource& source, const std::vector<std::string>& folded);
  absl::StatusOr<VersionRow> ImportVersion(const ModelSpec& spec, BlockSource& source,
                                           const std::vector<std::string>& folded,
                                           const std::optional<BasisRow>& basis);
  absl::Status WriteInitial(const ModelSpec& spec, BlockSource& source, VersionRow* row);
  absl::StatusOr<std::optional<BasisRow>> WriteNext(const PublishVersion& request, const VersionRow& base,
                                                    VersionRow* row);
  absl::Status EncodeDownlink(const ModelSpec& spec, VersionRow* row);
  // Encodes a variant of the weights in a file into another file, synced.
  absl::StatusOr<PayloadRef> EncodeVariant(const ModelSpec& spec, uint64_t version, uint32_t variant,
                                           const std::string& weights, const std::string& path) const;
  absl::StatusOr<std::shared_ptr<const StoredPayload>> MakeVariant(uint64_t version, uint32_t variant);
  absl::StatusOr<std::shared_ptr<const StoredPayload>> MakeChanges(const VersionRow& row, uint32_t missed) const;
  absl::Status Install(const std::shared_ptr<const ModelSpec>& spec, const VersionRow& row,
                       const std::optional<RoundRow>& round, const std::vector<std::string>& folded,
                       const std::vector<uint64_t>& pinned, const std::optional<BasisRow>& basis);
  // Versions that go when `newest` (or, without it, the newest there is) counts.
  std::vector<uint64_t> NoLongerKept(std::optional<uint64_t> newest, const std::vector<uint64_t>& pinned) const;
  void Forget(const std::vector<uint64_t>& versions);
  absl::StatusOr<VersionRow> FindRow(uint64_t version) const;

  const ModelStoreOptions options_;
  const VersionFiles files_;
  Journal* const journal_;
  std::unique_ptr<BasisStore> bases_;     // in a subspace
  std::unique_ptr<ChangeStore> changes_;  // where clients are sent what changed
  mutable std::atomic<uint64_t> next_expansion_{0};
  RecoveryReport recovery_;
  std::function<void(absl::Duration)> encoded_ = [](absl::Duration) {};
  Mutex writing_;  // held by Import*, Publish and Retain throughout; taken before mutex_
  mutable Mutex mutex_;
  std::shared_ptr<const ModelSpec> spec_ TW_GUARDED_BY(mutex_);
  std::map<uint64_t, VersionRow> versions_ TW_GUARDED_BY(mutex_);
  std::map<uint64_t, std::shared_ptr<const StoredPayload>> payloads_ TW_GUARDED_BY(mutex_);
  using VariantKey = std::pair<uint64_t, uint32_t>;  // version, variant above 0
  std::map<VariantKey, std::shared_ptr<const StoredPayload>> variants_ TW_GUARDED_BY(mutex_);
  std::set<VariantKey> making_ TW_GUARDED_BY(mutex_);
  CondVar made_;
  std::shared_ptr<const StoredPayload> frozen_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_MODEL_STORE_H_
