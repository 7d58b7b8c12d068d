// How the rounds of a run go.
#ifndef THINWIRE_SERVER_ROUND_ROUND_OPTIONS_H_
#define THINWIRE_SERVER_ROUND_ROUND_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace thinwire {

enum class LatePolicy { kDiscard, kRefuse };

// thinwire.v1.RoundConfig and EvaluationConfig, defaults applied.
struct RoundOptions {
  uint32_t rounds = 1;       // to publish; a failed round is followed by another one
  uint32_t clients = 1;      // updates wanted
  uint32_t invited = 1;      // ceil(clients * over_selection)
  uint32_t min_updates = 1;  // quorum at the deadline
  absl::Duration deadline = absl::Minutes(10);
  absl::Duration invite_wait = absl::InfiniteDuration();
  uint32_t max_failed_rounds = 3;
  uint32_t evaluate_every = 1;  // 0: never
  absl::Duration final_evaluation_wait = absl::Minutes(2);
  // Versions that wait for an evaluation; with more, the oldest is skipped, so that a slow or absent evaluator does not
  // make the server keep every version.
  uint32_t max_unevaluated = 32;
  uint64_t seed = 0;
  bool ask_client_for_initial = false;
  bool wait_for_start = false;  // no round is opened before StartRequested; a run that had one goes on by itself

  // INVALID_ARGUMENT, naming the field, unless 1 <= min_updates <= clients <= invited, the counts of rounds are
  // positive and the times are not negative.
  absl::Status Validate() const;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_ROUND_OPTIONS_H_
