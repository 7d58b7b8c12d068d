// What the reactors of the gRPC services share.
#ifndef THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_
#define THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "server/service/client_desk.h"
#include "server/service/peer_check.h"
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

inline absl::Status ServerLeaving() { return absl::UnavailableError("the server is leaving: come back in a moment"); }

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_SERVICE_PARTS_H_
