// What must be true of a run as a whole, checked when it is over.
#include "absl/strings/str_cat.h"
#include "server/round/names.h"
#include "tests/simulation/simulated_server.h"

namespace thinwire {

void SimulatedServer::Report(SimulationReport* report) const {
  report->state = journal_.run_state();
  report->versions = journal_.version().has_value() ? *journal_.version() + 1 : 0;
  report->events = events_;
  report->kills = kills_;
  report->replacements = replacements_;
  report->trace = trace_;
  report->evaluations = journal_.evaluated().size();
  for (const std::string& violation : violations_) report->violations.push_back(violation);
  for (const std::string& violation : journal_.violations()) report->violations.push_back(violation);
  if (journal_.finishes() != 1) {
    report->violations.push_back(absl::StrCat("the run ended ", journal_.finishes(), " times"));
  }
  if (report->state == RunState::kCompleted && report->versions != options_.round.rounds + uint64_t{1}) {
    report->violations.push_back(absl::StrCat("completed with ", report->versions, " versions"));
  }
  const uint64_t due = DueVersions();
  const bool excused = journal_.Restore().reason.find("evaluat") != std::string::npos;
  if (report->state == RunState::kCompleted && report->evaluations != due && !excused) {
    report->violations.push_back(absl::StrCat(report->evaluations, " of ", due, " evaluations, and no word of it"));
  }
  for (const auto& [round, state] : journal_.rounds()) {
    if (state == RoundState::kFailed) ++report->failed_rounds;
    if (state == RoundState::kFailed || state == RoundState::kPublished) continue;
    report->violations.push_back(absl::StrCat("round ", round, " never ended"));
  }
  CheckRows(report);
}

uint64_t SimulatedServer::DueVersions() const {
  const uint64_t every = options_.round.evaluate_every, last = options_.round.rounds;
  if (every == 0) return 0;
  return last / every + 1 + (last % every != 0 ? 1 : 0);
}

void SimulatedServer::CheckRows(SimulationReport* report) const {
  for (const auto& [id, row] : journal_.rows()) {
    const std::string violation = CheckRow(row);
    if (!violation.empty()) report->violations.push_back(absl::StrCat(id, " ", violation));
    if (row.record.kind != WorkKind::kTrain) continue;
    if (row.receipt > 0) ++report->acknowledged;
    if (row.version.has_value()) ++report->folded;
  }
}

// An acknowledged update is part of exactly one version, or there is a good reason why not.
std::string SimulatedServer::CheckRow(const ModelJournal::Row& row) const {
  const AssignmentRecord& record = row.record;
  if (record.state == AssignmentState::kTraining || record.state == AssignmentState::kReceived) return "never ended";
  if (record.kind == WorkKind::kEvaluate) return "";
  if (row.version.has_value() != (record.state == AssignmentState::kFolded)) return "is folded, but in no version";
  if (row.version.has_value() && row.receipt == 0) return "is folded, but never came";
  if (row.version.has_value() && IsBad(record.id)) return "is folded, but unusable";
  if (row.version.has_value() || row.receipt == 0) return "";
  if (IsBad(record.id)) return "";
  const auto folded = folded_.find(record.round);
  const bool round_counts = record.kind == WorkKind::kTrain && folded != folded_.end();
  if (!round_counts || folded->second == options_.round.clients) return "";
  const bool in_time = committed_at_.at(record.id) + absl::Milliseconds(100) < closed_at_.at(record.round);
  return in_time ? absl::StrCat("came in time, its round wanted more, and it was not folded: ", record.reason) : "";
}

}  // namespace thinwire
