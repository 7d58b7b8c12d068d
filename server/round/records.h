// What the coordinator says about itself, and what it needs back after a restart. Plain data.
#ifndef THINWIRE_SERVER_ROUND_RECORDS_H_
#define THINWIRE_SERVER_ROUND_RECORDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/round/events.h"

namespace thinwire {

struct AssignmentRecord {
  // "r<round>-<client>", "init-<n>-<client>", "e<version>-<client>" or, tried again, "e<version>.<n>-<client>"; at most
  // 128 characters.
  std::string id;
  std::string client;
  WorkKind kind = WorkKind::kTrain;
  uint32_t round = 0;  // 0 for initialisation and evaluations
  uint64_t version = 0;
  // kFolded means folded into the open round's accumulator. A client may be told so only once the round is published.
  AssignmentState state = AssignmentState::kTraining;
  std::string reason;
  uint64_t upload_bits = 0;  // what its upload was granted by the driver; 0: what the plan says
};

// invited = training + folding + folded + failed + dropped + discarded, after every event (checked by tests).
struct RoundCounters {
  uint32_t invited = 0;
  uint32_t training = 0;
  uint32_t folding = 0;  // received, not folded yet
  uint32_t folded = 0;
  uint32_t failed = 0;
  uint32_t dropped = 0;
  uint32_t discarded = 0;
};

// All that must survive a crash, as the journal gives it back. An open round's received and folded updates are folded
// again, since the accumulator died with the process: their state comes back as kReceived.
struct RestoredRun {
  RunState state = RunState::kInitializing;  // only the end states count; the others follow from what is below
  std::string reason;                        // of an end state
  std::optional<uint64_t> version;           // newest published
  uint32_t round = 0;                        // open or last round, 0: none yet
  RoundState round_state = RoundState::kIdle;
  absl::Duration time_left;    // of the open round
  uint32_t failed_rounds = 0;  // in a row
  std::string last_failure;    // why the last of these failed
  // Every assignment of the open or last round, whatever its state (received ones in the order of receipt, if the
  // journal knows it: should more have come than are wanted, the first count); every evaluation of a version that has
  // none reported, whatever its state (their ids are not used again); and all others that are not final.
  std::vector<AssignmentRecord> assignments;
  uint32_t initializations = 0;       // initialise assignments ever given: their ids are not used again
  std::vector<uint64_t> unevaluated;  // stored versions for which no evaluation was reported
  bool evaluator_seen = false;        // some evaluation was ever assigned
};

struct CoordinatorStatus {
  RunState state = RunState::kInitializing;
  std::string reason;  // why the run ended
  uint32_t round = 0;
  RoundState round_state = RoundState::kIdle;
  RoundCounters counters;
  std::optional<uint64_t> version;
  uint32_t trainers_waiting = 0;
  uint32_t evaluators_waiting = 0;
  std::string waiting_for;  // "round 3: 5 of 8 updates, 2 folding, deadline in 41 s"; empty when the run is over
  // Reason class -> assignments that ended failed, dropped or discarded for it, since the start of the process.
  std::map<std::string, uint64_t> refusals;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_RECORDS_H_
