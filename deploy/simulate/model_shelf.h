// The models that virtual clients have on their disks: one file for each version that somebody has, by its payload's
// id.
#ifndef THINWIRE_DEPLOY_SIMULATE_MODEL_SHELF_H_
#define THINWIRE_DEPLOY_SIMULATE_MODEL_SHELF_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/session/state_folder.h"
#include "common/base/digest.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe; a client's entry is touched by one thread at a time.
class ModelShelf {
 public:
  // `clients` that have nothing. Files lie in `directory`.
  ModelShelf(std::string directory, uint32_t clients) : directory_(std::move(directory)), held_(clients) {}

  // Everybody has the payload `id`, whose file is at `path`.
  absl::Status GiveAll(const std::string& path, const Digest& id);

  std::optional<Digest> HeldBy(uint32_t client) const;
  // Puts what the client has into its folder.
  absl::Status LayOut(uint32_t client, const StateFolder& folder) const;
  // The client has what lies in its folder now: the payload `id`, or, if that is not there, what it had.
  absl::Status TakeBack(uint32_t client, const StateFolder& folder, const Digest& id);

 private:
  std::string PathOf(const Digest& id) const;

  const std::string directory_;
  mutable Mutex mutex_;
  std::vector<std::optional<Digest>> held_ TW_GUARDED_BY(mutex_);
  std::map<Digest, uint32_t> holders_ TW_GUARDED_BY(mutex_);  // how many clients have it
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_MODEL_SHELF_H_
