// What RoundCoordinator says it is doing and waiting for.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/round/names.h"
#include "server/round/round_coordinator.h"

namespace thinwire {

CoordinatorStatus RoundCoordinator::Status(Monotonic now) const {
  CoordinatorStatus status;
  status.state = state_;
  status.reason = reason_;
  status.round = ledger_.round();
  status.round_state = round_state_;
  status.counters = ledger_.counters();
  status.version = version_;
  status.trainers_waiting = static_cast<uint32_t>(waiting_.waiting(Role::kTrainer));
  status.evaluators_waiting = static_cast<uint32_t>(waiting_.waiting(Role::kEvaluator));
  status.waiting_for = WaitingFor(now);
  status.refusals = refusals_;
  return status;
}

absl::Duration RoundCoordinator::TimeLeft(Monotonic now) const {
  return round_open() ? std::max(deadline_ - now, absl::ZeroDuration()) : absl::ZeroDuration();
}

std::string RoundCoordinator::WaitingFor(Monotonic now) const {
  if (ended()) return "";
  std::string text;
  if (state_ == RunState::kInitializing) {
    text = InitialText();
  } else if (state_ == RunState::kEvaluating) {
    text =
        absl::StrCat(CountText(evaluations_.due(), "evaluation"), ", for ", SecondsText(deadline_ - now), " at most");
  } else if (!started_) {
    text = "the operator: thinwire start";
  } else {
    text = absl::StrCat("round ", ledger_.round(), ": ",
                        round_state_ == RoundState::kInviting   ? InvitingText(now)
                        : round_state_ == RoundState::kTraining ? TrainingText(now)
                                                                : ClosingText());
  }
  return stop_reason_.has_value() ? text + ", then the run stops" : text;
}

std::string RoundCoordinator::InitialText() const {
  const AssignmentRecord* const record = initial_.open();
  if (!options_.ask_client_for_initial) return "initial weights from the server's file";
  if (record == nullptr) return "a trainer to ask for initial weights";
  if (initial_.received()) return absl::StrCat("initial weights from client ", record->client, " to be published");
  return absl::StrCat("initial weights from client ", record->client);
}

std::string RoundCoordinator::InvitingText(Monotonic now) const {
  const size_t waiting = waiting_.waiting(Role::kTrainer);
  std::string text = absl::StrCat(waiting, " of ", options_.invited, " clients joined and waiting, ",
                                  options_.invited - std::min<size_t>(waiting, options_.invited), " more needed");
  if (deadline_ == absl::InfiniteDuration()) return text;
  const absl::string_view then = waiting >= options_.min_updates ? ", starts with these in " : ", fails in ";
  return absl::StrCat(text, then, SecondsText(deadline_ - now));
}

std::string RoundCoordinator::TrainingText(Monotonic now) const {
  const uint32_t folding = ledger_.folds_under_way(), held = ledger_.counters().folding - folding;
  std::string text =
      absl::StrCat(ledger_.updates() - held, " of ", options_.clients, " updates, ", folding, " folding");
  if (held > 0) absl::StrAppend(&text, ", ", held, " held");
  if (ledger_.alive() < options_.min_updates) {
    absl::StrAppend(&text, ", ", CountText(options_.min_updates - ledger_.alive(), "more client"), " needed");
  }
  return absl::StrCat(text, ", deadline in ", SecondsText(deadline_ - now));
}

std::string RoundCoordinator::ClosingText() const {
  if (closing_version_.has_value()) return absl::StrCat("version ", *closing_version_, " to be published");
  return absl::StrCat(CountText(ledger_.folds_under_way(), "fold"), " under way before it closes");
}

}  // namespace thinwire
