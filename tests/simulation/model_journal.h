// The journal of a run as a driver keeps it, in memory: what restarts are tested against.
#ifndef THINWIRE_TESTS_SIMULATION_MODEL_JOURNAL_H_
#define THINWIRE_TESTS_SIMULATION_MODEL_JOURNAL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/round/events.h"
#include "server/round/records.h"

namespace thinwire {

class ModelJournal {
 public:
  struct Row {
    AssignmentRecord record;
    uint64_t receipt = 0;             // order of receipt; 0: no update has come
    std::optional<uint64_t> version;  // that the update is part of
  };

  // What the driver writes before it acts on an effect. `time_left`: RoundCoordinator::TimeLeft now.
  void Write(const Effect& effect, absl::Duration time_left);
  void SaveTimeLeft(absl::Duration time_left) { time_left_ = time_left; }

  // The commit of a complete upload. The row's state afterwards: kReceived, now or before, or a final state if it came
  // too late.
  AssignmentState CommitUpdate(const std::string& id);
  // The publishing transaction.
  void Publish(uint64_t version, const std::vector<std::string>& folded);
  // The result of an evaluation assignment.
  void CommitEvaluation(const std::string& id);

  // What a restarted server reads.
  RestoredRun Restore() const;

  const std::map<std::string, Row>& rows() const { return rows_; }
  const std::map<uint32_t, RoundState>& rounds() const { return rounds_; }
  const std::set<uint64_t>& evaluated() const { return evaluated_; }
  std::optional<uint64_t> version() const { return version_; }
  RunState run_state() const { return run_state_; }
  uint32_t finishes() const { return finishes_; }
  // Effects that no lawful coordinator asks for: each one a line.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  void WriteAssign(const Assign& assign);
  void WriteSettle(const Settle& settle);
  void WriteFailure(const FailRound& failure);
  bool BelongsToRestart(const AssignmentRecord& record) const;

  std::map<std::string, Row> rows_;
  std::map<uint32_t, RoundState> rounds_;
  absl::Duration time_left_;
  uint32_t failed_rounds_ = 0;
  uint32_t initializations_ = 0;
  bool evaluator_seen_ = false;
  std::optional<uint64_t> version_;
  std::set<uint64_t> evaluated_;
  RunState run_state_ = RunState::kInitializing;
  std::string reason_;
  std::string last_failure_;
  uint32_t finishes_ = 0;
  uint64_t receipts_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_MODEL_JOURNAL_H_
