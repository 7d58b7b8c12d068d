#include "server/round/round_ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/round/names.h"

namespace thinwire {

std::string RoundLedger::IdOf(const std::string& client) const { return absl::StrCat("r", round_, "-", client); }

uint32_t& RoundLedger::Counter(AssignmentState state) {
  switch (state) {
    case AssignmentState::kTraining:
      return counters_.training;
    case AssignmentState::kReceived:
      return counters_.folding;
    case AssignmentState::kFolded:
      return counters_.folded;
    case AssignmentState::kFailed:
      return counters_.failed;
    case AssignmentState::kDropped:
      return counters_.dropped;
    case AssignmentState::kDiscarded:
      break;
  }
  return counters_.discarded;
}

void RoundLedger::Move(Entry* entry, AssignmentState state) {
  if (entry->record.state == AssignmentState::kReceived && entry->fold_started) --folds_under_way_;
  --Counter(entry->record.state);
  ++Counter(state);
  entry->record.state = state;
}

RoundLedger::Entry* RoundLedger::FindEntry(const std::string& id) {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second;
}

const AssignmentRecord& RoundLedger::Invite(const std::string& client) {
  AssignmentRecord record;
  record.id = IdOf(client);
  record.client = client;
  record.round = round_;
  record.version = base_version_;
  ++counters_.invited;
  ++counters_.training;
  Entry& entry = entries_[record.id];
  entry.record = std::move(record);
  return entry.record;
}

void RoundLedger::Restore(const AssignmentRecord& record) {
  const auto [it, inserted] = entries_.try_emplace(record.id, Entry{record, false, false});
  if (!inserted) return;
  AssignmentRecord& restored = it->second.record;
  if (restored.state == AssignmentState::kFolded) restored.state = AssignmentState::kReceived;
  it->second.received = restored.state == AssignmentState::kReceived;
  if (it->second.received) unfolded_.push_back(restored.id);
  ++counters_.invited;
  ++Counter(restored.state);
}

bool RoundLedger::Receive(const std::string& id) {
  Entry* const entry = FindEntry(id);
  if (entry == nullptr) return false;
  if (entry->received || entry->record.state == AssignmentState::kDiscarded) return false;
  entry->received = true;
  Move(entry, AssignmentState::kReceived);
  entry->record.reason.clear();
  unfolded_.push_back(id);
  return true;
}

std::optional<std::string> RoundLedger::StartFold(uint32_t wanted) {
  while (!unfolded_.empty() && folds_under_way_ + counters_.folded < wanted) {
    const std::string id = std::move(unfolded_.front());
    unfolded_.pop_front();
    Entry& entry = entries_[id];
    if (entry.record.state != AssignmentState::kReceived) continue;
    entry.fold_started = true;
    ++folds_under_way_;
    return id;
  }
  return std::nullopt;
}

bool RoundLedger::FinishFold(const std::string& id) {
  Entry* const entry = FindEntry(id);
  if (entry == nullptr || entry->record.state != AssignmentState::kReceived || !entry->fold_started) return false;
  Move(entry, AssignmentState::kFolded);
  return true;
}

std::optional<Settle> RoundLedger::End(const std::string& id, AssignmentState state, const std::string& reason) {
  Entry* const entry = FindEntry(id);
  if (entry == nullptr) return std::nullopt;
  const AssignmentState before = entry->record.state;
  const bool received = before == AssignmentState::kReceived || before == AssignmentState::kFolded;
  if (!received && before != AssignmentState::kTraining) return std::nullopt;
  Move(entry, state);
  entry->record.reason = reason;
  return {{id, state, reason, received}};
}

const AssignmentRecord* RoundLedger::Find(const std::string& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second.record;
}

const AssignmentRecord* RoundLedger::TrainingOf(const std::string& client) const {
  const AssignmentRecord* const record = Find(IdOf(client));
  return record != nullptr && record->state == AssignmentState::kTraining ? record : nullptr;
}

std::vector<std::string> RoundLedger::InState(AssignmentState state) const {
  std::vector<std::string> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry.record.state == state) ids.push_back(id);
  }
  return ids;
}

absl::Status RoundLedger::CheckInvariants() const {
  RoundLedger recount;
  uint32_t started = 0;
  for (const auto& [id, entry] : entries_) {
    ++recount.counters_.invited;
    ++recount.Counter(entry.record.state);
    if (entry.record.state == AssignmentState::kReceived && entry.fold_started) ++started;
    if (id != IdOf(entry.record.client)) return absl::InternalError(absl::StrCat("assignment ", id, " is misnamed"));
  }
  const RoundCounters &is = counters_, &counted = recount.counters_;
  const bool same = is.invited == counted.invited && is.training == counted.training && is.folding == counted.folding &&
                    is.folded == counted.folded && is.failed == counted.failed && is.dropped == counted.dropped &&
                    is.discarded == counted.discarded;
  if (!same) return absl::InternalError(absl::StrCat("round ", round_, ": the counters are not those of its entries"));
  if (is.invited != is.training + is.folding + is.folded + is.failed + is.dropped + is.discarded) {
    return absl::InternalError(absl::StrCat("round ", round_, ": the counters do not add up to ", is.invited));
  }
  if (started != folds_under_way_) {
    return absl::InternalError(
        absl::StrCat("round ", round_, ": ", started, " folds under way, not ", folds_under_way_));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
