// What changed from version to version, for clients that have an older one: where a round moves only a part of the
// model (docs/igc.md, "Rivals") they are sent that part, not the model. Used by the model store only.
//
//   changes/vNNNNNNNN-FROM-ENTRIES.payload   what changed between version FROM and version N (common/sketch)
//
// A cache: what is lost or damaged here costs bytes, nothing else. A client that is sent wrong changes finds out by the
// newer payload's id, and downloads that. Nothing is synced, and the journal knows nothing of it.
#ifndef THINWIRE_SERVER_STORE_CHANGE_STORE_H_
#define THINWIRE_SERVER_STORE_CHANGE_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/base/mutex.h"
#include "common/sketch/model_changes.h"
#include "common/tensor/model_spec.h"
#include "server/store/journal.h"
#include "server/store/stored_payload.h"

namespace thinwire {

// Thread-safe; Recover, Write, Install and Enter are called one at a time.
class ChangeStore {
 public:
  explicit ChangeStore(const std::string& state_directory);

  absl::Status MakeFolder() const;
  // Takes what is there up to version `newest`, removes the rest.
  absl::Status Recover(const ModelSpec& model, uint64_t newest);

  // What `next` changes of `base`, from the weights of both, under a temporary name; counts from Enter on. If that
  // would be no fewer bytes than the model is, or cannot be stored, nothing comes of it.
  void Write(const ModelSpec& model, const VersionRow& base, const std::string& base_weights, const VersionRow& next,
             const std::string& weights);
  // Gives the file last written its name. Before the version is in the journal, so that a version that is has its
  // changes, whenever the server is killed; Recover removes those of one that is not.
  void Install();
  // The version last written is published: its changes count, and the oldest go, so that all together take at most
  // twice the bytes of the model.
  void Enter(const VersionRow& next);

  // How many versions before `version` that is whose payload is `held`; 0 if changes do not lead from there to here.
  uint32_t Missed(uint64_t version, const Digest& held) const;
  // What changed in `missed` versions, as one payload at `path` if it is not there already. nullptr if the model itself
  // is fewer bytes. DATA_LOSS and so on if a file is damaged.
  absl::StatusOr<std::shared_ptr<const StoredPayload>> Make(const ModelSpec& model, const VersionRow& row,
                                                            uint32_t missed, const std::string& weights,
                                                            const std::string& path) const;

 private:
  struct Step {
    uint64_t from = 0;
    std::string path;
    std::shared_ptr<const StoredPayload> changes;
  };

  absl::StatusOr<std::optional<Step>> Compare(const ModelSpec& model, const VersionRow& base,
                                              const std::string& base_weights, const VersionRow& next,
                                              const std::string& weights) const;
  std::optional<Step> Load(const ModelSpec& model, const std::string& name, uint64_t newest, uint64_t* version) const;
  // The steps from `from` to `version`, newest first; none if they do not lead there.
  std::vector<std::shared_ptr<const StoredPayload>> StepsBetween(uint64_t from, uint64_t version) const;

  const std::string folder_;
  std::optional<Step> written_;
  mutable Mutex mutex_;
  std::map<uint64_t, Step> steps_ TW_GUARDED_BY(mutex_);  // by version
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_CHANGE_STORE_H_
