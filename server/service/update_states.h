// What became of an update, in the words of the wire.
#ifndef THINWIRE_SERVER_SERVICE_UPDATE_STATES_H_
#define THINWIRE_SERVER_SERVICE_UPDATE_STATES_H_

#include "absl/status/statusor.h"
#include "server/round/events.h"
#include "server/round/round_coordinator.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// kTraining is UNKNOWN: whether a part of it is here, the spool knows.
v1::UpdateState StateOf(AssignmentState state);

// What an upload is answered whose assignment is not kTraining any more. ABORTED, if it comes too late and late uploads
// are refused.
absl::StatusOr<v1::UploadResponse> ReceiptOf(const AssignmentRecord& assignment, LatePolicy late);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_UPDATE_STATES_H_
