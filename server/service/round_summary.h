// States and rounds as the Control service shows them.
#ifndef THINWIRE_SERVER_SERVICE_ROUND_SUMMARY_H_
#define THINWIRE_SERVER_SERVICE_ROUND_SUMMARY_H_

#include "absl/status/statusor.h"
#include "server/round/round_coordinator.h"
#include "server/store/journal.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

v1::RunState ToProto(RunState state);
v1::RoundState ToProto(RoundState state);
v1::RoundCounters ToProto(const RoundCounters& counters);

// With what the journal knows of its evaluation. DATA_LOSS if the row's traffic or uploads are damaged; the journal's
// errors. `journal` is only read.
absl::StatusOr<v1::RoundSummary> MakeSummary(const RoundRow& row, Journal* journal);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_ROUND_SUMMARY_H_
