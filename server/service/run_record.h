// The durable side of the driver: writes to the journal what effects say, before anybody outside can see it.
#ifndef THINWIRE_SERVER_SERVICE_RUN_RECORD_H_
#define THINWIRE_SERVER_SERVICE_RUN_RECORD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/round/events.h"
#include "server/round/round_coordinator.h"
#include "server/service/run_parts.h"
#include "server/service/run_restore.h"

namespace thinwire {

// Owned by the driver's thread. An error means that the state directory cannot be written: the driver stops.
class RunRecord {
 public:
  RunRecord(const RunParts& parts, const RestoredState& restored);

  // Journals all effects of one step, in their order. `status` and `time_left` are those after the step.
  absl::Status Write(const std::vector<Effect>& effects, const CoordinatorStatus& status, absl::Duration time_left);
  // The open round's deadline and traffic as of now, if a round is open.
  absl::Status Checkpoint(const CoordinatorStatus& status, absl::Duration time_left);
  absl::Status SetExported(const std::string& path);

  // The closing round as it is to stand in the journal once it is published. Its traffic ends here, if it is.
  // `decode_time`: of all its updates.
  absl::StatusOr<RoundRow> ClosingRow(const CloseRound& close, const CoordinatorStatus& status,
                                      absl::Duration decode_time);
  // The publication is durable: no round is open any more.
  void RoundPublished() {
    row_.reset();
    round_start_ = closing_traffic_;
  }

  const RunRow& run() const { return run_; }
  // nullptr unless a round is open.
  const RoundRow* open_round() const { return row_.has_value() ? &*row_ : nullptr; }
  // The open round as it stands now.
  std::optional<RoundRow> CurrentRow(const CoordinatorStatus& status, absl::Duration time_left) const;
  // What initial weights are checked against while there is no version: the model of the client that was asked.
  std::shared_ptr<const ModelSpec> initial_model() const { return initial_model_; }

 private:
  absl::Status Begin(const OpenRound& open, const CoordinatorStatus& status, absl::Duration time_left);
  absl::Status PutAssignments(const std::vector<Effect>& effects);
  // What the upload of this work may have; 0: as the plan says.
  uint64_t GrantOf(const Assign& assign) const;
  absl::Status SaveInitialModel(const Assign& assign);
  absl::Status Put(const Settle& settle);
  absl::Status Fail(const FailRound& fail, const CoordinatorStatus& status);
  absl::Status Finish(const FinishRun& finish);

  const RunParts& parts_;
  RunRow run_;
  std::optional<RoundRow> row_;
  Monotonic opened_at_;
  TrafficTotals round_start_;      // what had travelled when the last round ended
  TrafficTotals closing_traffic_;  // ... when the closing round was sent to be published
  std::shared_ptr<const ModelSpec> initial_model_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_RUN_RECORD_H_
