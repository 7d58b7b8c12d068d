// The life of one run as a pure function: event and time in, effects out. No threads, locks, clock, I/O or tensors
// (after etcd-io/raft). The same events at the same times give the same effects.
#ifndef THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_
#define THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "server/round/events.h"

namespace thinwire {

enum class LatePolicy { kDiscard, kRefuse };

// thinwire.v1.RoundConfig and EvaluationConfig, defaults applied.
struct RoundOptions {
  uint32_t rounds = 1;
  uint32_t clients = 1;           // updates wanted
  uint32_t invited = 1;           // ceil(clients * over_selection)
  uint32_t min_updates = 1;       // quorum at the deadline
  absl::Duration deadline = absl::Minutes(10);
  absl::Duration invite_wait = absl::InfiniteDuration();
  uint32_t max_failed_rounds = 3;
  uint32_t evaluate_every = 1;    // 0: never
  absl::Duration final_evaluation_wait = absl::Minutes(2);
  uint64_t seed = 0;
  bool ask_client_for_initial = false;
};

struct AssignmentRecord {
  std::string id;
  std::string client;
  WorkKind kind = WorkKind::kTrain;
  uint32_t round = 0;
  uint64_t version = 0;
  AssignmentState state = AssignmentState::kTraining;
  std::string reason;
};

// invited = training + folding + folded + failed + dropped + discarded, after every event (checked by tests).
struct RoundCounters {
  uint32_t invited = 0;
  uint32_t training = 0;
  uint32_t folding = 0;
  uint32_t folded = 0;
  uint32_t failed = 0;
  uint32_t dropped = 0;
  uint32_t discarded = 0;
};

// All that must survive a crash, as the journal gives it back. An open round's received and folded updates are folded
// again, since the accumulator died with the process: their state comes back as kReceived.
struct RestoredRun {
  RunState state = RunState::kInitializing;
  std::optional<uint64_t> version;             // newest published
  uint32_t round = 0;                          // open or last round, 0: none yet
  RoundState round_state = RoundState::kIdle;
  absl::Duration time_left;                    // of the open round
  uint32_t failed_rounds = 0;                  // in a row
  std::vector<AssignmentRecord> assignments;   // of the open round, and evaluations and initialisation not yet final
};

struct CoordinatorStatus {
  RunState state = RunState::kInitializing;
  std::string reason;
  uint32_t round = 0;
  RoundState round_state = RoundState::kIdle;
  RoundCounters counters;
  std::optional<uint64_t> version;
  uint32_t trainers_waiting = 0;
  uint32_t evaluators_waiting = 0;
  std::string waiting_for;  // "3 of 8 clients, deadline in 41 s"
  std::map<std::string, uint64_t> refusals;  // reason class -> count, over the run
};

// Not thread-safe: one serial driver owns it.
class RoundCoordinator {
 public:
  RoundCoordinator(const RoundOptions& options, const RestoredRun& restored, Monotonic now);

  // Effects of the start itself (e.g. folds of a resumed round). Call once, first.
  std::vector<Effect> Start(Monotonic now);
  // Applies one event. Events about unknown or settled assignments and clients are ignored: messages come late and twice.
  std::vector<Effect> Apply(const Event& event, Monotonic now);
  // When it wants a Tick, if nothing else happens; InfiniteDuration for never.
  Monotonic NextDeadline() const;

  CoordinatorStatus Status(Monotonic now) const;
  absl::Duration TimeLeft(Monotonic now) const;  // of the open round
  // nullptr if unknown. Assignments of the open round, and of evaluations under way.
  const AssignmentRecord* FindAssignment(const std::string& id) const;
  // INTERNAL, naming the broken rule, if the state is not lawful. For tests and debug builds.
  absl::Status CheckInvariants() const;

 private:
  // The implementation's state goes here.
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_
