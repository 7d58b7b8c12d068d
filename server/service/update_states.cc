#include "server/service/update_states.h"

#include "absl/strings/str_cat.h"

namespace thinwire {

v1::UpdateState StateOf(AssignmentState state) {
  switch (state) {
    case AssignmentState::kTraining:
      return v1::UPDATE_STATE_UNKNOWN;
    case AssignmentState::kReceived:
      return v1::UPDATE_STATE_RECEIVED;
    case AssignmentState::kFolded:
      return v1::UPDATE_STATE_FOLDED;
    case AssignmentState::kFailed:
      return v1::UPDATE_STATE_FAILED;
    case AssignmentState::kDropped:
    case AssignmentState::kDiscarded:
      return v1::UPDATE_STATE_DISCARDED;
  }
  return v1::UPDATE_STATE_UNSPECIFIED;
}

absl::StatusOr<v1::UploadResponse> ReceiptOf(const AssignmentRecord& assignment, LatePolicy late) {
  v1::UploadResponse receipt;
  receipt.set_state(StateOf(assignment.state));
  receipt.set_reason(assignment.reason);
  if (receipt.state() == v1::UPDATE_STATE_DISCARDED && late == LatePolicy::kRefuse) {
    return absl::AbortedError(absl::StrCat("late uploads are refused, ", assignment.reason));
  }
  return receipt;
}

}  // namespace thinwire
