// An update that is encoded and not yet acknowledged, on disk: a client that dies before the acknowledgement sends the
// same bytes again instead of training again.
#ifndef THINWIRE_CLIENT_SESSION_PENDING_UPDATE_H_
#define THINWIRE_CLIENT_SESSION_PENDING_UPDATE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/session/federation_api.h"
#include "common/codec/payload.h"

namespace thinwire {

struct PendingUpdate {
  std::string assignment_id;
  PayloadRef payload;
  std::string path;  // of the payload file
  uint64_t examples = 0;
  double train_loss = 0;
  absl::Duration train_time;
  CodingReport coding;
};

// At most one update is pending: a client has one assignment at a time. Thread-compatible.
class PendingUpdates {
 public:
  explicit PendingUpdates(std::string directory) : directory_(std::move(directory)) {}

  // Where the update of this assignment is to be encoded.
  std::string PayloadPath(const Assignment& assignment) const;
  // Syncs the payload file, then writes the record, atomically. Afterwards the update survives a power loss. Updates of
  // other assignments are deleted.
  absl::Status Save(const Assignment& assignment, const PendingUpdate& update);
  // What was saved for this very assignment (same id, model, seed and kind), if it is whole.
  std::optional<PendingUpdate> Load(const Assignment& assignment) const;
  // Deletes everything, whosever it is.
  absl::Status Clear();

 private:
  std::string RecordPath(const Assignment& assignment) const;

  const std::string directory_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_PENDING_UPDATE_H_
