#include "server/round/round_coordinator.h"

#include <algorithm>
#include <utility>

#include "server/round/names.h"

namespace thinwire {

std::vector<Effect> RoundCoordinator::Apply(const Event& event, Monotonic now) {
  now_ = now;
  std::visit([this](const auto& any) { Handle(any); }, event);
  Advance();
  return TakeEffects();
}

void RoundCoordinator::Handle(const ClientWaiting& event) {
  if (ended()) return Emit(Dismiss{event.client});
  if (event.role == Role::kEvaluator) evaluator_seen_ = true;
  waiting_.Enter(event.client, event.role);
  if (const AssignmentRecord* const record = UnfinishedOf(event.client)) AssignTo(*record, /*repeated=*/true);
}

void RoundCoordinator::Handle(const ClientStoppedWaiting& event) { waiting_.Leave(event.client); }

void RoundCoordinator::Handle(const ClientGone& event) {
  const std::string reason = event.reason.empty() ? "gone" : event.reason;
  waiting_.Forget(event.client);
  EmitSettle(evaluations_.Drop(event.client, reason));
  if (initial_.TrainingOf(event.client) != nullptr) EmitSettle(initial_.End(AssignmentState::kDropped, reason));
  if (const AssignmentRecord* const record = ledger_.TrainingOf(event.client)) {
    EmitSettle(ledger_.End(record->id, AssignmentState::kDropped, reason));
  }
}

void RoundCoordinator::Handle(const UpdateReceived& event) {
  if (initial_.Receive(event.assignment)) return Emit(PublishInitial{event.assignment});
  const bool counts = round_state_ == RoundState::kTraining && ledger_.Receive(event.assignment);
  std::optional<Settle> late = late_.Take(event.assignment);
  if (!late.has_value()) return;
  if (!counts) return Emit(*std::move(late));
  // It was given up too early: no refusal after all.
  const auto refusal = refusals_.find(ReasonClass(late->reason));
  if (refusal != refusals_.end() && --refusal->second == 0) refusals_.erase(refusal);
}

void RoundCoordinator::Handle(const UpdateFolded& event) { ledger_.FinishFold(event.assignment); }

void RoundCoordinator::Handle(const AssignmentFailed& event) {
  EmitSettle(evaluations_.Fail(event.assignment, event.reason));
  const AssignmentRecord* const initial = initial_.open();
  if (initial != nullptr && initial->id == event.assignment && !(event.by_client && initial_.received())) {
    EmitSettle(initial_.End(AssignmentState::kFailed, event.reason));
  }
  const AssignmentRecord* const record = ledger_.Find(event.assignment);
  if (record == nullptr || record->state == AssignmentState::kFolded) return;
  if (event.by_client && record->state == AssignmentState::kReceived) return;
  EmitSettle(ledger_.End(event.assignment, AssignmentState::kFailed, event.reason));
}

void RoundCoordinator::Handle(const VersionPublished& event) {
  const bool is_initial =
      !version_.has_value() && event.version == 0 && (initial_.received() || !options_.ask_client_for_initial);
  if (!is_initial && (!closing_version_.has_value() || event.version != *closing_version_)) return;
  version_ = event.version;
  evaluations_.Add(event.version);
  if (is_initial) return initial_.Finish();
  closing_version_.reset();
  failed_rounds_ = 0;
  round_state_ = RoundState::kPublished;
}

void RoundCoordinator::Handle(const PublishFailed& event) {
  if (initial_.received()) EmitSettle(initial_.End(AssignmentState::kFailed, event.reason));
  if (closing_version_.has_value()) FailCurrentRound("publish: " + event.reason);
}

void RoundCoordinator::Handle(const RoundAborted& event) {
  // A publication under way has an answer of its own.
  const bool open = round_open() && !closing_version_.has_value();
  if (open && event.round == ledger_.round()) FailCurrentRound("aborted: " + event.reason);
}

void RoundCoordinator::Handle(const EvaluationReported& event) { evaluations_.Finish(event.assignment); }

void RoundCoordinator::Handle(const StartRequested&) {
  if (started_) return;
  started_ = true;
  if (round_state_ == RoundState::kInviting) deadline_ = now_ + options_.invite_wait;
}

void RoundCoordinator::Handle(const StopRequested& event) {
  if (!ended() && !stop_reason_.has_value()) stop_reason_ = event.reason;
}

void RoundCoordinator::Handle(const Tick&) {}

void RoundCoordinator::Advance() {
  while (Step()) {
  }
  AssignEvaluations();
}

bool RoundCoordinator::Step() {
  if (ended()) return false;
  if (stop_reason_.has_value() && !publishing()) return Finish(RunState::kStopped, *stop_reason_);
  if (state_ == RunState::kInitializing) return StepInitializing();
  return state_ == RunState::kRunning ? StepRound() : StepEvaluating();
}

std::vector<Effect> RoundCoordinator::TakeEffects() {
  std::vector<Effect> effects = std::move(effects_);
  effects_.clear();
  return effects;
}

void RoundCoordinator::Emit(Effect effect) { effects_.push_back(std::move(effect)); }

void RoundCoordinator::EmitSettle(const std::optional<Settle>& settle) {
  if (!settle.has_value()) return;
  ++refusals_[ReasonClass(settle->reason)];
  late_.Remember(*settle);
  Emit(*settle);
}

void RoundCoordinator::AssignTo(const AssignmentRecord& record, bool repeated) {
  waiting_.Leave(record.client);
  const absl::Duration time_left =
      record.kind == WorkKind::kTrain ? std::max(deadline_ - now_, absl::ZeroDuration()) : absl::InfiniteDuration();
  Emit(Assign{record.id, record.client, record.kind, record.round, record.version, time_left, repeated});
}

const AssignmentRecord* RoundCoordinator::UnfinishedOf(const std::string& client) const {
  if (const AssignmentRecord* const record = initial_.TrainingOf(client)) return record;
  if (const AssignmentRecord* const record = evaluations_.FindOf(client)) return record;
  return ledger_.TrainingOf(client);
}

Monotonic RoundCoordinator::NextDeadline() const {
  switch (state_) {
    case RunState::kInitializing: {
      const bool replaceable =
          initial_.open() != nullptr && !initial_.received() && waiting_.waiting(Role::kTrainer) > 0;
      return replaceable ? deadline_ : absl::InfiniteDuration();
    }
    case RunState::kRunning:
      if (!started_) return absl::InfiniteDuration();
      return round_state_ == RoundState::kClosing ? absl::InfiniteDuration() : deadline_;
    case RunState::kEvaluating:
      return deadline_;
    default:
      return absl::InfiniteDuration();
  }
}

const AssignmentRecord* RoundCoordinator::FindAssignment(const std::string& id) const {
  if (initial_.open() != nullptr && initial_.open()->id == id) return initial_.open();
  if (const AssignmentRecord* const record = evaluations_.Find(id)) return record;
  return ledger_.Find(id);
}

std::vector<uint64_t> RoundCoordinator::PinnedVersions() const {
  std::vector<uint64_t> versions = evaluations_.DueVersions();
  if (round_open()) versions.push_back(ledger_.base_version());
  std::sort(versions.begin(), versions.end());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  return versions;
}

}  // namespace thinwire
