// A whole server without a port: state directory, driver, desk. Whoever holds it talks to it by calls.
#ifndef THINWIRE_DEPLOY_SIMULATE_EMBEDDED_SERVER_H_
#define THINWIRE_DEPLOY_SIMULATE_EMBEDDED_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/http/metrics.h"
#include "server/service/client_desk.h"
#include "server/service/client_registry.h"
#include "server/service/open_uploads.h"
#include "server/service/run_driver.h"
#include "server/service/run_parts.h"
#include "server/service/state_directory.h"
#include "server/service/status_board.h"
#include "server/service/traffic_meter.h"

namespace thinwire {

// The parts of FederationServer that are behind its gRPC services, put together in the same way. Thread-safe.
class EmbeddedServer {
 public:
  // Opens config.storage.directory and starts the run. `threads` fold. Errors: those of OpenStateDirectory.
  static absl::StatusOr<std::unique_ptr<EmbeddedServer>> Start(const ServerConfig& config, int threads,
                                                               RunObserver observer);
  ~EmbeddedServer();

  const RunParts& parts() const { return parts_; }
  RunDriver& driver() { return driver_; }
  ClientDesk& desk() { return desk_; }
  // Answers held calls UNAVAILABLE and ends. Idempotent; not from a thread of the server's.
  void Shutdown();

 private:
  EmbeddedServer(const ServerConfig& config, int threads, RunObserver observer, StateDirectory state);
  RunParts MakeParts(const ServerConfig& config);

  // In the order of construction; destroyed in reverse.
  StateDirectory state_;
  Metrics metrics_;
  TrafficMeter traffic_;
  ClientRegistry clients_;
  StatusBoard board_;
  OpenUploads uploads_;
  WorkerPool workers_;
  WorkerPool io_;
  RunParts parts_;
  RunDriver driver_;
  ClientDesk desk_;
  bool down_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_EMBEDDED_SERVER_H_
