#include "deploy/simulate/embedded_server.h"

#include <utility>

#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr size_t kMaxQueuedTasks = 8192;

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedServer>> EmbeddedServer::Start(const ServerConfig& config, int threads,
                                                                      RunObserver observer) {
  TW_ASSIGN_OR_RETURN(StateDirectory state, OpenStateDirectory(config, Clock::System()));
  std::unique_ptr<EmbeddedServer> server(new EmbeddedServer(config, threads, std::move(observer), std::move(state)));
  server->driver_.Start();
  return server;
}

EmbeddedServer::EmbeddedServer(const ServerConfig& config, int threads, RunObserver observer, StateDirectory state)
    : state_(std::move(state)),
      traffic_(&metrics_),
      clients_(config.lease),
      uploads_(config.proto.limits().uploads()),
      workers_(threads, kMaxQueuedTasks),
      io_(1, kMaxQueuedTasks),
      parts_(MakeParts(config)),
      driver_(parts_, state_.restored, std::move(observer)),
      desk_(parts_, &driver_) {
  traffic_.Restore(state_.restored.traffic);
}

RunParts EmbeddedServer::MakeParts(const ServerConfig& config) {
  RunParts parts;
  parts.config = config;
  parts.clock = Clock::System();
  parts.journal = state_.journal.get();
  parts.models = state_.models.get();
  parts.spool = state_.spool.get();
  parts.metrics = &metrics_;
  parts.traffic = &traffic_;
  parts.clients = &clients_;
  parts.board = &board_;
  parts.uploads = &uploads_;
  parts.workers = &workers_;
  parts.io = &io_;
  parts.hold_time = absl::InfiniteDuration();
  return parts;
}

EmbeddedServer::~EmbeddedServer() { Shutdown(); }

void EmbeddedServer::Shutdown() {
  if (std::exchange(down_, true)) return;
  driver_.StopAdmitting();
  uploads_.EndAll(absl::UnavailableError("the server is leaving"));
  board_.Close();
  io_.Shutdown();
  workers_.Shutdown();
  driver_.Shutdown();
}

}  // namespace thinwire
