// States as text: for logs, the journal's readers and tests.
#ifndef THINWIRE_SERVER_ROUND_NAMES_H_
#define THINWIRE_SERVER_ROUND_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/round/events.h"

namespace thinwire {

// Lower case, e.g. "running".
absl::string_view Name(RunState state);
absl::string_view Name(RoundState state);
absl::string_view Name(AssignmentState state);
absl::string_view Name(WorkKind kind);

// "41 s", rounded up, never negative; "no limit" for an infinite duration.
std::string SecondsText(absl::Duration duration);
// "1 fold", "2 folds".
std::string CountText(uint64_t count, absl::string_view noun);
// The class of a reason: its text up to the first ':'.
std::string ReasonClass(absl::string_view reason);

// One line, e.g. "assign r3-c1 to c1: train round 3 from version 2, 60 s left".
std::string EffectText(const Effect& effect);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_NAMES_H_
