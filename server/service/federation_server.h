// A whole server in one object: state directory, driver, gRPC services, HTTP.
#ifndef THINWIRE_SERVER_SERVICE_FEDERATION_SERVER_H_
#define THINWIRE_SERVER_SERVICE_FEDERATION_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "server/http/http_server.h"
#include "server/http/metrics.h"
#include "server/service/client_desk.h"
#include "server/service/control_service.h"
#include "server/service/federation_service.h"
#include "server/service/health.h"
#include "server/service/peer_check.h"
#include "server/service/run_driver.h"
#include "server/service/state_directory.h"
#include "server/service/stream_quota.h"

namespace thinwire {

struct ServerOptions {
  ServerConfig config;
  Clock* clock = Clock::System();
  absl::Duration hold_time = absl::Minutes(1);
  size_t driver_queue = kDriverQueue;
  HealthTiming health;
  RunObserver observer;
};

// "HOST:PORT" each, with the ports that were picked.
struct ServerEndpoints {
  std::string federation;
  std::string control;
  std::string http;
};

// Serves from Start until Shutdown or destruction.
class FederationServer {
 public:
  // Takes an open state directory. UNAVAILABLE, naming the field, if an address cannot be bound.
  static absl::StatusOr<std::unique_ptr<FederationServer>> Start(const ServerOptions& options, StateDirectory state);
  ~FederationServer();

  const ServerEndpoints& endpoints() const { return endpoints_; }
  // Stops admitting, ends held calls and streams UNAVAILABLE, finishes what workers do, journals the time left. What is
  // on disk can be resumed from. Idempotent; not from a thread of the server's.
  void Shutdown();

 private:
  FederationServer(const ServerOptions& options, StateDirectory state);
  absl::Status Listen();
  absl::StatusOr<std::unique_ptr<grpc::Server>> Serve(const std::string& field, const std::string& address,
                                                      PeerRole callers, grpc::Service* service, std::string* endpoint);
  std::string MetricsPage();

  // In the order of construction; destroyed in reverse.
  StateDirectory state_;
  Metrics metrics_;
  TrafficMeter traffic_;
  PeerCheck peers_;
  ClientRegistry clients_;
  StatusBoard board_;
  OpenUploads uploads_;
  StreamQuota downloads_;
  WorkerPool workers_;
  WorkerPool io_;
  RunParts parts_;
  RunDriver driver_;
  ClientDesk desk_;
  ServiceParts service_parts_;
  FederationService federation_service_;
  ControlService control_service_;
  Health health_;
  ServerEndpoints endpoints_;
  std::unique_ptr<grpc::Server> federation_;
  std::unique_ptr<grpc::Server> control_;
  std::unique_ptr<HttpServer> http_;
  bool down_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_FEDERATION_SERVER_H_
