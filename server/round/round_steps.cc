// What RoundCoordinator does inside a round. The rules are in round_coordinator.h.
#include "absl/strings/str_cat.h"
#include "server/round/names.h"
#include "server/round/round_coordinator.h"
#include "server/round/selection.h"

namespace thinwire {

bool RoundCoordinator::StepRound() {
  switch (round_state_) {
    case RoundState::kInviting:
      return StepInviting();
    case RoundState::kTraining:
      return StepTraining();
    case RoundState::kClosing:
      return StepClosing();
    default:
      return NextRound();
  }
}

bool RoundCoordinator::StepInviting() {
  if (!started_) return false;
  const size_t waiting = waiting_.waiting(Role::kTrainer);
  if (waiting < options_.invited && now_ < deadline_) return false;
  if (waiting < options_.min_updates) {
    return FailCurrentRound(absl::StrCat("too few clients: ", waiting, " waiting after ",
                                         SecondsText(options_.invite_wait), ", at least ", options_.min_updates,
                                         " needed"));
  }
  round_state_ = RoundState::kTraining;
  resumed_ = false;
  deadline_ = now_ + options_.deadline;
  Emit(OpenRound{ledger_.round(), ledger_.base_version()});
  Invite(options_.invited);
  return true;
}

bool RoundCoordinator::StepTraining() {
  StartFolds();
  const RoundCounters& is = ledger_.counters();
  if (is.folded >= options_.clients) {
    return BeginClosing(absl::StrCat("enough updates: round ", ledger_.round(), " has its ", options_.clients));
  }
  if (now_ >= deadline_) {
    const std::string within = absl::StrCat("within ", SecondsText(options_.deadline));
    if (ledger_.updates() >= options_.min_updates) return BeginClosing("deadline: no update " + within);
    return FailCurrentRound(absl::StrCat("deadline: ", ledger_.updates(), " of at least ", options_.min_updates,
                                         " updates ", within, ", ", is.failed, " failed, ", is.dropped, " dropped"));
  }
  if (is.training + is.folding == 0 && is.folded >= options_.min_updates) return BeginClosing("");
  ReplaceLost();
  if (is.training + is.folding > 0 || SomebodyMayCome()) return false;
  return FailCurrentRound(absl::StrCat("too few left: ", is.folded, " of at least ", options_.min_updates, " updates, ",
                                       is.failed, " failed, ", is.dropped, " dropped, and no other trainer is known"));
}

bool RoundCoordinator::StepClosing() {
  if (closing_version_.has_value()) return false;
  StartFolds();
  if (ledger_.folds_under_way() > 0) return false;
  const uint32_t folded = ledger_.counters().folded;
  if (folded < options_.min_updates) {
    return FailCurrentRound(absl::StrCat("too few updates: ", folded, " of at least ", options_.min_updates,
                                         " could be folded, ", ledger_.counters().failed, " failed"));
  }
  SettleAll(AssignmentState::kReceived, absl::StrCat("enough updates: round ", ledger_.round(), " has its ", folded));
  closing_version_ = ledger_.base_version() + 1;
  Emit(CloseRound{ledger_.round(), ledger_.base_version(), *closing_version_,
                  ledger_.InState(AssignmentState::kFolded)});
  return false;
}

void RoundCoordinator::StartFolds() {
  while (const std::optional<std::string> id = ledger_.StartFold(options_.clients)) Emit(Fold{*id});
}

void RoundCoordinator::Invite(size_t count) {
  std::vector<std::string> candidates;
  for (std::string& client : waiting_.Waiting(Role::kTrainer)) {
    if (!ledger_.Has(client)) candidates.push_back(std::move(client));
  }
  const uint32_t draw = ledger_.counters().invited;
  for (const std::string& client : SelectClients(std::move(candidates), count, options_.seed, ledger_.round(), draw)) {
    AssignTo(ledger_.Invite(client), /*repeated=*/false);
  }
}

void RoundCoordinator::ReplaceLost() {
  if (ledger_.alive() < options_.min_updates) Invite(options_.min_updates - ledger_.alive());
}

bool RoundCoordinator::SomebodyMayCome() const {
  return resumed_ ||
         waiting_.AnyKnown(Role::kTrainer, [this](const std::string& client) { return !ledger_.Has(client); });
}

bool RoundCoordinator::BeginClosing(const std::string& reason) {
  round_state_ = RoundState::kClosing;
  SettleAll(AssignmentState::kTraining, reason);
  return true;
}

bool RoundCoordinator::FailCurrentRound(const std::string& reason) {
  ++failed_rounds_;
  last_failure_ = reason;
  EndRoundWithout(reason, "round failed: " + reason);
  return true;
}

void RoundCoordinator::EndRoundWithout(const std::string& reason, const std::string& settle_reason) {
  round_state_ = RoundState::kFailed;
  closing_version_.reset();
  // The round's row first: should the process die before the rest is journaled, a restart settles it.
  Emit(FailRound{ledger_.round(), reason});
  for (const AssignmentState state :
       {AssignmentState::kTraining, AssignmentState::kReceived, AssignmentState::kFolded}) {
    SettleAll(state, settle_reason);
  }
}

void RoundCoordinator::SettleAll(AssignmentState from, const std::string& reason) {
  for (const std::string& id : ledger_.InState(from)) {
    EmitSettle(ledger_.End(id, AssignmentState::kDiscarded, reason));
  }
}

}  // namespace thinwire
