// The rules that every state of a RoundCoordinator obeys.
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/round/round_coordinator.h"

namespace thinwire {
namespace {

// OK if the rule holds.
absl::Status Rule(bool holds, absl::string_view rule) {
  return holds ? absl::OkStatus() : absl::InternalError(absl::StrCat("broken rule: ", rule));
}

}  // namespace

absl::Status RoundCoordinator::CheckInvariants() const {
  TW_RETURN_IF_ERROR(ledger_.CheckInvariants());
  TW_RETURN_IF_ERROR(evaluations_.CheckInvariants());
  TW_RETURN_IF_ERROR(CheckRun());
  TW_RETURN_IF_ERROR(CheckRound());
  return CheckClients();
}

absl::Status RoundCoordinator::CheckRun() const {
  const bool at_work = state_ == RunState::kRunning || state_ == RunState::kEvaluating;
  TW_RETURN_IF_ERROR(Rule(!at_work || version_.has_value(), "a run past its initialisation has a version"));
  TW_RETURN_IF_ERROR(Rule(initial_.open() == nullptr || state_ == RunState::kInitializing,
                          "initial weights are asked for during initialisation only"));
  TW_RETURN_IF_ERROR(Rule(!stop_reason_.has_value() || ended() || publishing(), "a stop waits for a publication only"));
  if (ended()) {
    TW_RETURN_IF_ERROR(
        Rule(!round_open() && round_state_ != RoundState::kInviting, "a run that is over has no open round"));
    TW_RETURN_IF_ERROR(Rule(evaluations_.due() == 0, "a run that is over has no evaluation due"));
    TW_RETURN_IF_ERROR(Rule(waiting_.waiting(Role::kTrainer) + waiting_.waiting(Role::kEvaluator) == 0,
                            "a run that is over lets nobody wait"));
  }
  return Rule(state_ != RunState::kRunning || round_open() || round_state_ == RoundState::kInviting,
              "a running run has a round that is inviting, training or closing");
}

absl::Status RoundCoordinator::CheckRound() const {
  const RoundCounters& is = ledger_.counters();
  TW_RETURN_IF_ERROR(
      Rule(is.folded + ledger_.folds_under_way() <= options_.clients, "no more updates are folded than are wanted"));
  TW_RETURN_IF_ERROR(
      Rule(!closing_version_.has_value() || round_state_ == RoundState::kClosing, "only a closing round is published"));
  TW_RETURN_IF_ERROR(Rule(!closing_version_.has_value() || (is.folding == 0 && is.folded >= options_.min_updates),
                          "a round is published with its quorum and without folds under way"));
  TW_RETURN_IF_ERROR(
      Rule(round_state_ != RoundState::kInviting || is.invited == 0, "nobody is invited before a round opens"));
  TW_RETURN_IF_ERROR(
      Rule(round_state_ == RoundState::kTraining || is.training == 0, "clients train in an open round only"));
  TW_RETURN_IF_ERROR(Rule(round_open() || is.folding == 0, "updates are folded in an open round only"));
  TW_RETURN_IF_ERROR(Rule(!round_open() || (version_.has_value() && ledger_.base_version() == *version_),
                          "an open round starts from the newest version"));
  return Rule(round_state_ != RoundState::kClosing || closing_version_.has_value() || ledger_.folds_under_way() > 0,
              "a closing round waits for folds or for its publication");
}

absl::Status RoundCoordinator::CheckClients() const {
  for (const std::string& id : ledger_.InState(AssignmentState::kTraining)) {
    const std::string& client = ledger_.Find(id)->client;
    TW_RETURN_IF_ERROR(Rule(!waiting_.IsWaiting(client), absl::StrCat(client, " has work and does not wait")));
    TW_RETURN_IF_ERROR(
        Rule(evaluations_.FindOf(client) == nullptr, absl::StrCat(client, " has one assignment at a time")));
  }
  const AssignmentRecord* const initial = initial_.open();
  return Rule(initial == nullptr || initial_.received() || !waiting_.IsWaiting(initial->client),
              "the client that makes the initial weights does not wait");
}

}  // namespace thinwire
