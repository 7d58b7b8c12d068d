// The bases of a run in a subspace: what theta was when each epoch began, and the coordinates that ended it
// (docs/igc.md). Used by the model store only.
//
//   bases/theta0.safetensors   the model as the run began with it: its tensors, for the whole run
//   bases/bNNNNNNNN.basis      theta_e of an epoch that a stored version belongs to (common/subspace/basis_file.h)
//   bases/bNNNNNNNN.payload    the same as an FP32 payload of BasisSpec, for clients that have no basis
//   bases/fNNNNNNNN.basis      the last coordinates of an epoch that is over, K d numbers, for ever
//
// A basis counts from the instant its row is in the journal, in the transaction of the version that begins its epoch.
#ifndef THINWIRE_SERVER_STORE_BASIS_STORE_H_
#define THINWIRE_SERVER_STORE_BASIS_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/codec/codec_spec.h"
#include "common/codec/subspace_plan.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"
#include "server/store/journal.h"
#include "server/store/stored_payload.h"

namespace thinwire {

struct BasisStoreOptions {
  std::string directory;  // the state directory
  SubspacePlan plan;
  CodecSpec downlink;
  uint64_t run_seed = 0;
};

// What a client is to be sent so that it has theta_e and the coordinates of a version.
struct BasisDelivery {
  uint64_t epoch = 0;
  Digest sha256;                                  // of theta_e
  uint32_t missed = 0;                            // epochs whose last coordinates come before the version's own
  std::shared_ptr<const StoredPayload> snapshot;  // theta_e itself; nullptr: the client has what it takes
};

// Thread-safe; Write*, Install and Prune are called one at a time.
class BasisStore {
 public:
  explicit BasisStore(const BasisStoreOptions& options);

  absl::Status MakeFolder() const;
  // Takes what the journal knows; removes what it does not. `versions` are those stored, ascending. Adds to `damaged`
  // what is wrong with a file that can be done without: those coordinates are not offered. DATA_LOSS, naming the file,
  // if theta cannot be had.
  absl::Status Recover(const std::vector<BasisRow>& rows, const std::vector<VersionRow>& versions,
                       std::vector<std::string>* damaged);

  // The model that is trained; nullptr before there is one.
  std::shared_ptr<const ModelSpec> model() const;
  ModelSpec VersionSpec() const { return CoordinatesSpec(*model(), options_.plan); }
  // Whether `version` is the first of a new epoch.
  bool BeginsEpoch(uint64_t version) const;
  uint64_t EpochOf(uint64_t version) const;
  const SubspacePlan& plan() const { return options_.plan; }

  // theta_0, under temporary names. Errors as CheckSubspaceFits, and INVALID_ARGUMENT for values that are not finite.
  absl::StatusOr<BasisRow> WriteFirst(const ModelSpec& model, BlockSource& source);
  // theta_(e+1), from the last coordinates of epoch e as they decode to, under temporary names. `final` is a version.
  absl::StatusOr<BasisRow> WriteNext(uint64_t version, BlockSource& final_coordinates);
  // What was written is not to be: its version cannot be published.
  void Abandon(const BasisRow& row);
  // Gives the files their names; synced.
  absl::Status Install(const BasisRow& row) const;
  // After the journal's commit.
  absl::Status Enter(const BasisRow& row);
  // Removes bases that no version from `oldest` on needs.
  void Prune(uint64_t oldest_version);

  // Whichever is fewest bytes, for a client that has `held`.
  absl::StatusOr<BasisDelivery> DeliveryTo(uint64_t version, const std::optional<HeldBasis>& held) const;
  std::shared_ptr<const StoredPayload> FindSnapshot(const Digest& id) const;
  // A version's payload with the last coordinates of the `missed` epochs before it.
  ModelSpec SpecWith(uint64_t missed) const { return CatchUpSpec(*model(), options_.plan, options_.downlink, missed); }
  absl::StatusOr<PayloadRef> EncodeCatchUp(uint64_t version, uint64_t missed, BlockSource& coordinates,
                                           const std::string& path) const;
  absl::Status Link(uint64_t epoch, const std::string& path) const;
  // theta of a version, with its buffers, as a safetensors file of model().
  absl::Status Expand(uint64_t version, BlockSource& coordinates, const std::string& path) const;

 private:
  std::string ModelPath() const;
  std::string BasisPath(uint64_t epoch) const;
  std::string SnapshotPath(uint64_t epoch) const;
  std::string FinalPath(uint64_t epoch) const;
  absl::Status RecoverFiles(const BasisRow& row, bool needed, std::vector<std::string>* damaged);
  absl::Status RemoveUnknown(const std::vector<BasisRow>& rows, uint64_t first_needed) const;
  absl::StatusOr<PayloadRef> WriteSnapshot(const ModelSpec& model, const std::string& basis,
                                           const std::string& path) const;
  std::optional<BasisRow> RowOf(uint64_t epoch) const;
  std::vector<std::pair<std::string, std::string>> NewFiles(const BasisRow& row) const;  // temporary and final names

  const BasisStoreOptions options_;
  const std::string folder_;
  mutable Mutex mutex_;
  std::shared_ptr<const ModelSpec> model_ TW_GUARDED_BY(mutex_);
  std::map<uint64_t, BasisRow> rows_ TW_GUARDED_BY(mutex_);  // by epoch
  std::map<uint64_t, std::shared_ptr<const StoredPayload>> snapshots_ TW_GUARDED_BY(mutex_);
  uint64_t first_final_ TW_GUARDED_BY(mutex_) = 0;  // the history is whole from this epoch on
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_BASIS_STORE_H_
