// What a session does about an error, by the step that met it. A pure table; the server's side of it is the list of
// errors in proto/thinwire/v1/federation.proto.
#ifndef THINWIRE_CLIENT_SESSION_ERROR_POLICY_H_
#define THINWIRE_CLIENT_SESSION_ERROR_POLICY_H_

#include "absl/status/status.h"

namespace thinwire {

enum class SessionStep { kJoin, kAwait, kDownload, kUpload, kReport };

enum class Recovery {
  kRetry,       // wait, join again, go on with the same assignment
  kRetryFew,    // likewise, but give the assignment up after kFewRetries in a row
  kJoin,        // the server does not know this client: join at once and go on
  kNewWork,     // what was assigned is gone: await an assignment
  kGiveUpWork,  // the assignment cannot be done: report that, if the server still knows it, and await another
  kStop,        // nothing will get better by itself: end with the message
};

constexpr int kFewRetries = 5;

Recovery RecoveryFor(SessionStep step, absl::StatusCode code);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_ERROR_POLICY_H_
