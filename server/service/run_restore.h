// A run as the journal remembers it.
#ifndef THINWIRE_SERVER_SERVICE_RUN_RESTORE_H_
#define THINWIRE_SERVER_SERVICE_RUN_RESTORE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "server/config/config.h"
#include "server/service/traffic_meter.h"
#include "server/store/journal.h"
#include "server/store/model_store.h"
#include "server/store/spool.h"

namespace thinwire {

struct RestoredState {
  RunRow run;
  RestoredRun coordinator;
  std::optional<RoundRow> open_round;
  std::optional<EvaluationRow> evaluation;  // of the newest evaluated version
  TrafficTotals traffic;                    // of the whole run so far
  TrafficTotals open_traffic;               // of the open round, part of the above
};

// The run's row; a fresh one is written if the journal is empty. FAILED_PRECONDITION, naming what differs, if the
// configuration is that of another run (name, seed, and once there are weights plan, strategy or aggregator).
absl::StatusOr<RunRow> OpenRun(const ServerConfig& config, Clock* clock, Journal* journal);

// Version 0 from the configuration's safetensors file, unless there is a version. FAILED_PRECONDITION, naming the first
// difference, if the run's model is not that file's.
absl::Status ImportInitialModel(const ServerConfig& config, ModelStore* models);

// Everything else. The model store may have revoked a damaged version before.
absl::StatusOr<RestoredState> RestoreRun(const ServerConfig& config, const RunRow& run, const ModelStore& models,
                                         Journal* journal);

// What the spool is to keep.
absl::StatusOr<SpoolContents> ContentsOfSpool(const RestoredState& restored, Journal* journal);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_RUN_RESTORE_H_
