#include "tests/bench/soak/soak_check.h"

#include <limits>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "server/round/names.h"
#include "server/store/journal.h"

namespace thinwire {
namespace {

using States = std::map<std::string, AssignmentState>;  // by assignment

// One client's update each, once.
void CheckCohort(const RoundRow& round, const std::vector<UpdateRow>& updates, int clients, SoakAudit* audit) {
  std::set<std::string> cohort;
  size_t folded = 0;
  for (const UpdateRow& update : updates) {
    if (update.assignment.state != AssignmentState::kFolded) continue;
    ++folded;
    cohort.insert(update.assignment.client);
  }
  audit->folded += folded;
  if (folded == static_cast<size_t>(clients) && cohort.size() == folded && round.counters.folded == folded) return;
  audit->faults.push_back(absl::StrCat("round ", round.round, " has ", folded, " updates of ", cohort.size(),
                                       " clients, its row says ", round.counters.folded, ", it must be ", clients));
}

absl::Status CheckRounds(Journal* journal, int clients, States* states, SoakAudit* audit) {
  TW_ASSIGN_OR_RETURN(const std::vector<RoundRow> rounds, journal->Rounds(0, std::numeric_limits<uint32_t>::max()));
  for (const RoundRow& round : rounds) {
    TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> updates, journal->AssignmentsOf(round.round));
    for (const UpdateRow& update : updates) (*states)[update.assignment.id] = update.assignment.state;
    const bool last = round.round == rounds.back().round;  // the one that the operator's stop ended
    if (round.state != RoundState::kPublished) {
      if (!last) audit->faults.push_back(absl::StrCat("round ", round.round, " failed: ", round.reason));
      continue;
    }
    if (round.version != ++audit->versions) {
      audit->faults.push_back(absl::StrCat("round ", round.round, " published version ", round.version.value_or(0),
                                           ", the one before was ", audit->versions - 1));
    }
    CheckCohort(round, updates, clients, audit);
  }
  TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> outside, journal->AssignmentsOf(0));
  for (const UpdateRow& update : outside) (*states)[update.assignment.id] = update.assignment.state;
  return absl::OkStatus();
}

void CheckReceipt(const std::string& receipt, const States& states, uint64_t versions, SoakAudit* audit) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(receipt, absl::MaxSplits(' ', 1));
  const auto row = states.find(parts.first);
  if (row == states.end()) {
    audit->faults.push_back(absl::StrCat("acknowledged, but not in the journal: ", receipt));
    return;
  }
  const bool stopped = absl::StartsWith(parts.first, absl::StrCat("r", versions + 1, "-"));  // with the run
  if (row->second == AssignmentState::kFolded || stopped) return;
  audit->faults.push_back(absl::StrCat("acknowledged, but in no version: ", receipt, ", the journal says ",
                                       std::string(Name(row->second))));
}

}  // namespace

absl::StatusOr<SoakAudit> AuditRun(const std::string& journal_path, const std::vector<std::string>& receipts,
                                   int clients) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(journal_path));
  SoakAudit audit;
  States states;
  TW_RETURN_IF_ERROR(CheckRounds(journal.get(), clients, &states, &audit));
  for (const std::string& receipt : receipts) CheckReceipt(receipt, states, audit.versions, &audit);
  audit.receipts = receipts.size();
  return audit;
}

}  // namespace thinwire
