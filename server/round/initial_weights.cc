#include "server/round/initial_weights.h"

#include "absl/strings/str_cat.h"

namespace thinwire {

std::optional<std::string> InitialWeights::Choose(const std::vector<std::string>& waiting_by_arrival) const {
  if (waiting_by_arrival.empty()) return std::nullopt;
  for (const std::string& client : waiting_by_arrival) {
    if (failed_.count(client) == 0) return client;
  }
  return waiting_by_arrival.front();
}

const AssignmentRecord& InitialWeights::Ask(const std::string& client) {
  AssignmentRecord record;
  record.id = absl::StrCat("init-", ++given_, "-", client);
  record.client = client;
  record.kind = WorkKind::kInitialize;
  return open_.emplace(std::move(record));
}

bool InitialWeights::Receive(const std::string& id) {
  if (!open_.has_value() || open_->id != id || open_->state != AssignmentState::kTraining) return false;
  open_->state = AssignmentState::kReceived;
  return true;
}

Settle InitialWeights::End(AssignmentState state, const std::string& reason) {
  const Settle settle = {open_->id, state, reason, received()};
  if (state == AssignmentState::kFailed) {
    ++failures_;
    last_failure_ = reason;
    failed_.insert(open_->client);
  }
  open_.reset();
  return settle;
}

const AssignmentRecord* InitialWeights::TrainingOf(const std::string& client) const {
  const bool is_its = open_.has_value() && open_->client == client && open_->state == AssignmentState::kTraining;
  return is_its ? &*open_ : nullptr;
}

}  // namespace thinwire
