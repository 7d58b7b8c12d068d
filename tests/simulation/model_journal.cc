#include "tests/simulation/model_journal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

bool IsFinal(AssignmentState state) {
  return state != AssignmentState::kTraining && state != AssignmentState::kReceived;
}

}  // namespace

void ModelJournal::Write(const Effect& effect, absl::Duration time_left) {
  if (const auto* open = std::get_if<OpenRound>(&effect)) {
    rounds_.try_emplace(open->round, RoundState::kTraining);
    time_left_ = time_left;
  } else if (const auto* assign = std::get_if<Assign>(&effect)) {
    if (!assign->repeated) WriteAssign(*assign);
  } else if (const auto* settle = std::get_if<Settle>(&effect)) {
    WriteSettle(*settle);
  } else if (const auto* close = std::get_if<CloseRound>(&effect)) {
    rounds_[close->round] = RoundState::kClosing;
  } else if (const auto* failure = std::get_if<FailRound>(&effect)) {
    WriteFailure(*failure);
  } else if (const auto* finish = std::get_if<FinishRun>(&effect)) {
    run_state_ = finish->state;
    reason_ = finish->reason;
    ++finishes_;
  }
}

void ModelJournal::WriteAssign(const Assign& assign) {
  if (assign.kind == WorkKind::kInitialize) ++initializations_;
  if (assign.kind == WorkKind::kEvaluate) evaluator_seen_ = true;
  AssignmentRecord record;
  record.id = assign.assignment;
  record.client = assign.client;
  record.kind = assign.kind;
  record.round = assign.round;
  record.version = assign.version;
  const bool inserted = rows_.try_emplace(record.id, Row{record, 0, std::nullopt}).second;
  if (!inserted) violations_.push_back("assigned twice: " + record.id);
  if (record.id.size() > 128) violations_.push_back("id too long: " + record.id);
}

void ModelJournal::WriteSettle(const Settle& settle) {
  const auto it = rows_.find(settle.assignment);
  if (it == rows_.end()) return violations_.push_back("settled, but never assigned: " + settle.assignment);
  AssignmentRecord& record = it->second.record;
  if (settle.received && record.state == AssignmentState::kFolded) {
    return violations_.push_back("settled, but part of a version: " + settle.assignment);
  }
  // Its result became durable meanwhile: the event is on its way.
  if (!settle.received && record.state != AssignmentState::kTraining) return;
  record.state = settle.state;
  record.reason = settle.reason;
}

void ModelJournal::WriteFailure(const FailRound& failure) {
  RoundState& state = rounds_[failure.round];
  if (state == RoundState::kPublished || state == RoundState::kFailed) {
    violations_.push_back(absl::StrCat("round ", failure.round, " failed after its end"));
  }
  state = RoundState::kFailed;
  ++failed_rounds_;
  last_failure_ = failure.reason;
}

AssignmentState ModelJournal::CommitUpdate(const std::string& id) {
  Row& row = rows_.at(id);
  if (row.record.state != AssignmentState::kTraining) return row.record.state;
  row.record.state = AssignmentState::kReceived;
  row.receipt = ++receipts_;
  return row.record.state;
}

void ModelJournal::Publish(uint64_t version, const std::vector<std::string>& folded) {
  if (version != (version_.has_value() ? *version_ + 1 : 0)) {
    violations_.push_back(absl::StrCat("version ", version, " published out of turn"));
  }
  version_ = version;
  failed_rounds_ = 0;
  if (version > 0) rounds_.rbegin()->second = RoundState::kPublished;
  for (const std::string& id : folded) {
    Row& row = rows_.at(id);
    if (row.record.state != AssignmentState::kReceived) violations_.push_back("published, but not received: " + id);
    row.record.state = AssignmentState::kFolded;
    row.version = version;
  }
}

void ModelJournal::CommitEvaluation(const std::string& id) {
  AssignmentRecord& record = rows_.at(id).record;
  evaluated_.insert(record.version);
  record.state = AssignmentState::kFolded;
}

bool ModelJournal::BelongsToRestart(const AssignmentRecord& record) const {
  const bool of_last_round =
      record.kind == WorkKind::kTrain && !rounds_.empty() && record.round == rounds_.rbegin()->first;
  const bool unevaluated = record.kind == WorkKind::kEvaluate && evaluated_.count(record.version) == 0;
  return of_last_round || unevaluated || !IsFinal(record.state);
}

RestoredRun ModelJournal::Restore() const {
  RestoredRun restored;
  restored.state = run_state_;
  restored.reason = reason_;
  restored.version = version_;
  if (!rounds_.empty()) {
    restored.round = rounds_.rbegin()->first;
    restored.round_state = rounds_.rbegin()->second;
  }
  restored.time_left = time_left_;
  restored.failed_rounds = failed_rounds_;
  restored.last_failure = last_failure_;
  restored.initializations = initializations_;
  restored.evaluator_seen = evaluator_seen_;
  std::vector<const Row*> rows;
  for (const auto& [id, row] : rows_) {
    if (BelongsToRestart(row.record)) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) { return a->receipt < b->receipt; });
  for (const Row* row : rows) restored.assignments.push_back(row->record);
  for (uint64_t version = 0; version_.has_value() && version <= *version_; ++version) {
    if (evaluated_.count(version) == 0) restored.unevaluated.push_back(version);
  }
  return restored;
}

}  // namespace thinwire
