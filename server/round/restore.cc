// How a coordinator comes back after its process died: RoundCoordinator's constructor and Start.
#include "absl/strings/str_cat.h"
#include "server/round/round_coordinator.h"

namespace thinwire {
namespace {

bool IsFinal(AssignmentState state) {
  return state != AssignmentState::kTraining && state != AssignmentState::kReceived;
}

bool IsOpen(RoundState state) {
  return state == RoundState::kInviting || state == RoundState::kTraining || state == RoundState::kClosing;
}

}  // namespace

RoundCoordinator::RoundCoordinator(const RoundOptions& options, const RestoredRun& restored, Monotonic now)
    : options_(options),
      state_(restored.state),
      reason_(restored.reason),
      version_(restored.version),
      started_(!options.wait_for_start || restored.round > 0),
      round_state_(restored.round_state),
      failed_rounds_(restored.failed_rounds),
      last_failure_(restored.last_failure),
      evaluations_(options),
      evaluator_seen_(restored.evaluator_seen),
      now_(now) {
  if (!ended()) state_ = version_.has_value() ? RunState::kRunning : RunState::kInitializing;
  RestoreRound(restored);
  RestoreOthers(restored);
}

void RoundCoordinator::RestoreRound(const RestoredRun& restored) {
  ledger_ = RoundLedger(restored.round, version_.value_or(0));
  const bool open = state_ == RunState::kRunning && restored.round > 0 && IsOpen(round_state_);
  for (const AssignmentRecord& record : restored.assignments) {
    if (record.kind != WorkKind::kTrain) continue;
    if (open && record.round == restored.round) {
      ledger_.Restore(record);
    } else if (!IsFinal(record.state)) {
      SettleStray(record);
    }
  }
  if (!open) {
    // An end state with an open round: the process died before it could say how the round ended.
    if (IsOpen(round_state_)) round_state_ = RoundState::kFailed;
    return;
  }
  resumed_ = !ledger_.empty();
  // Nobody had been told of a round without assignments: it is invited anew.
  if (!resumed_) round_state_ = RoundState::kInviting;
  deadline_ = now_ + (resumed_ ? restored.time_left : options_.invite_wait);
}

void RoundCoordinator::RestoreOthers(const RestoredRun& restored) {
  initial_.Restore(restored.initializations);
  if (!ended()) {
    for (const uint64_t version : restored.unevaluated) evaluations_.Add(version);
  }
  for (const AssignmentRecord& record : restored.assignments) {
    if (record.kind == WorkKind::kEvaluate && !evaluations_.Restore(record)) SettleStray(record);
    if (record.kind != WorkKind::kInitialize || IsFinal(record.state)) continue;
    if (state_ == RunState::kInitializing && initial_.open() == nullptr) {
      initial_.Restore(record);
      deadline_ = now_ + options_.deadline;
    } else {
      SettleStray(record);
    }
  }
}

void RoundCoordinator::SettleStray(const AssignmentRecord& record) {
  const bool received = record.state == AssignmentState::kReceived;
  EmitSettle(Settle{record.id, AssignmentState::kDiscarded, "restart: what it belonged to had ended", received});
}

std::vector<Effect> RoundCoordinator::Start(Monotonic now) {
  now_ = now;
  if (initial_.received()) Emit(PublishInitial{initial_.open()->id});
  if (round_open()) Emit(OpenRound{ledger_.round(), ledger_.base_version()});
  // Whoever had not delivered when the round closed was to be discarded.
  if (round_state_ == RoundState::kClosing) BeginClosing("deadline: the round was closing when the server restarted");
  Advance();
  return TakeEffects();
}

}  // namespace thinwire
