// What the reactors of the gRPC services share.
#ifndef THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_
#define THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "server/service/client_desk.h"
#include "server/service/peer_check.h"
#include "server/service/retry_window.h"
#include "server/service/run_driver.h"
#include "server/service/run_parts.h"
#include "server/service/stream_quota.h"

namespace thinwire {

// Outlives every reactor.
struct ServiceParts {
  const RunParts* run = nullptr;
  RunDriver* driver = nullptr;
  ClientDesk* desk = nullptr;
  PeerCheck* peers = nullptr;
  // Set when the server begins to shut down: streams end at their next chunk.
  std::atomic<bool> leaving{false};
  StreamQuota* downloads = nullptr;
};

// A limit is reached: counts it in status and metrics, and says when to come back. From any thread.
inline absl::Status RefuseAtLimit(ServiceParts* parts, const std::string& reason, const std::string& client,
                                  const absl::Status& refusal) {
  const absl::Status status = WithRetryWindow(refusal, parts->run->config);
  RunDriver* const driver = parts->driver;
  (void)driver->TryRun([driver, reason, client, status] { driver->CountRefusal(reason, client, status); });
  return status;
}

inline absl::Status ServerLeaving() { return absl::UnavailableError("the server is leaving: come back in a moment"); }

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_
