#include "server/service/federation_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Chunks wait for disks and syncs, not for cores; syncs that wait together share one.
constexpr int kIoThreads = 8;
constexpr size_t kMaxQueuedTasks = 8192;
// Calls that do not end by themselves when the server leaves are cut after this.
constexpr std::chrono::milliseconds kShutdownGrace(500);
// A connection that has been silent is probed, so that one that is dead is noticed.
constexpr int kKeepaliveMs = 30'000;
constexpr int kMinPingIntervalMs = 5'000;
// What a client may send ahead of what was read. gRPC's own estimate grows to megabytes a connection, and memory is not
// to grow with the number of uploads.
constexpr int kReadAheadBytes = 64 * 1024;
// What one read of a connection takes. gRPC keeps a buffer of it for each connection, silent or not, and a chunk keeps
// alive whatever was read together with it.
constexpr int kReadBufferBytes = 16 * 1024;
// Calls at once on one connection. A client has about eight, but gRPC lets channels of one process share a connection.
// Further ones wait at the client's end.
constexpr int kMaxStreams = 128;
// The largest message is Join's, with a model's tensors; an upload's are a chunk and a few bytes.
constexpr int kMaxMessageBytes = 4 * 1024 * 1024;

// gRPC takes a message in before it measures it, up to 4 GiB of each that somebody declares. What all connections of a
// port hold together is bounded by this; above it gRPC ends calls and connections.
constexpr size_t kBaseQuota = 64 << 20;
constexpr size_t kQuotaPerClient = 64 << 10;
constexpr size_t kQuotaPerStream = 512 << 10;

size_t MemoryQuota(const v1::LimitsConfig& limits) {
  return kBaseQuota + (size_t{limits.clients()} + limits.evaluators()) * kQuotaPerClient +
         (size_t{limits.uploads()} + limits.downloads()) * kQuotaPerStream;
}

int WorkerThreads() { return std::max(2, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace

absl::StatusOr<std::unique_ptr<FederationServer>> FederationServer::Start(const ServerOptions& options,
                                                                          StateDirectory state) {
  std::unique_ptr<FederationServer> server(new FederationServer(options, std::move(state)));
  server->driver_.Start();
  TW_RETURN_IF_ERROR(server->Listen());
  return server;
}

FederationServer::FederationServer(const ServerOptions& options, StateDirectory state)
    : state_(std::move(state)),
      traffic_(&metrics_),
      peers_(options.config.proto.security(), &metrics_),
      clients_(options.config.lease),
      uploads_(options.config.proto.limits().uploads()),
      downloads_("downloads", options.config.proto.limits().downloads(),
                 options.config.proto.limits().downloads_per_client()),
      workers_(WorkerThreads(), kMaxQueuedTasks),
      io_(kIoThreads, kMaxQueuedTasks),
      parts_{options.config,      options.clock,       state_.journal.get(),
             state_.models.get(), state_.spool.get(),  &metrics_,
             &traffic_,           &clients_,           &board_,
             &uploads_,           &workers_,           &io_,
             options.hold_time,   options.driver_queue},
      driver_(parts_, state_.restored, options.observer),
      desk_(parts_, &driver_),
      federation_service_(&service_parts_),
      control_service_(&service_parts_),
      health_(options.clock, &driver_, &board_, options.health) {
  traffic_.Restore(state_.restored.traffic);
  service_parts_.run = &parts_;
  service_parts_.peers = &peers_;
  service_parts_.driver = &driver_;
  service_parts_.desk = &desk_;
  service_parts_.downloads = &downloads_;
  state_.models->SetEncodeObserver([this](absl::Duration time) { metrics_.ObserveEncode(time); });
}

FederationServer::~FederationServer() { Shutdown(); }

absl::Status FederationServer::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  const v1::ListenConfig& listen = parts_.config.proto.listen();
  TW_ASSIGN_OR_RETURN(federation_, Serve("listen.federation", listen.federation(), PeerRole::kClient,
                                         &federation_service_, &endpoints_.federation));
  TW_ASSIGN_OR_RETURN(
      control_, Serve("listen.control", listen.control(), PeerRole::kOperator, &control_service_, &endpoints_.control));
  health_.Start(federation_->GetHealthCheckService(), control_->GetHealthCheckService());
  TW_ASSIGN_OR_RETURN(const HostPort http, ParseHostPort(listen.http()));
  HttpHandlers handlers;
  handlers.metrics = [this] { return MetricsPage(); };
  handlers.alive = [this] { return health_.Alive(); };
  handlers.ready = [this] { return health_.Ready(); };
  TW_ASSIGN_OR_RETURN(http_, HttpServer::Start(http.host, http.port, std::move(handlers)));
  endpoints_.http = absl::StrCat(http.host, ":", http_->port());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<grpc::Server>> FederationServer::Serve(const std::string& field,
                                                                      const std::string& address, PeerRole callers,
                                                                      grpc::Service* service, std::string* endpoint) {
  TW_ASSIGN_OR_RETURN(const HostPort host_port, ParseHostPort(address));
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, peers_.Guard(callers));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, credentials, &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second server on the port is an error, not a sharer
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kReadAheadBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBufferBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Nothing here is packed by gRPC, and what unpacks itself is a bomb: it would be taken apart before its size is
  // known.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetResourceQuota(grpc::ResourceQuota("thinwire").Resize(MemoryQuota(parts_.config.proto.limits())));
  builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat(field, ": cannot listen on ", address,
                                               "; another program may hold the port, or the host is not this "
                                               "machine's: name a free one"));
  }
  *endpoint = absl::StrCat(host_port.host, ":", port);
  return server;
}

void FederationServer::Shutdown() {
  if (std::exchange(down_, true)) return;
  service_parts_.leaving = true;
  health_.Leave();
  driver_.StopAdmitting();
  uploads_.EndAll(ServerLeaving());
  board_.Close();
  const auto deadline = std::chrono::system_clock::now() + kShutdownGrace;
  for (const auto& server : {federation_.get(), control_.get()}) {
    if (server != nullptr) server->Shutdown(deadline);
  }
  http_.reset();
  io_.Shutdown();
  workers_.Shutdown();
  driver_.Shutdown();
}

std::string FederationServer::MetricsPage() {
  const std::shared_ptr<const StatusSnapshot> now = board_.Latest();
  WaitingMetrics waiting;
  waiting.round = now->status.round();
  waiting.version = now->status.version();
  if (now->open_round.has_value()) {
    waiting.wanted = parts_.config.round.clients;
    waiting.received = now->status.counters().folding() + now->status.counters().folded();
    waiting.time_left = std::max(now->deadline - parts_.clock->Now(), absl::ZeroDuration());
  }
  metrics_.SetWaiting(waiting);
  metrics_.SetClients(Role::kTrainer, clients_.live(Role::kTrainer));
  metrics_.SetClients(Role::kEvaluator, clients_.live(Role::kEvaluator));
  metrics_.SetQueueDepth("driver", driver_.QueueDepth());
  metrics_.SetQueueDepth("workers", workers_.QueueDepth());
  metrics_.SetQueueDepth("io", io_.QueueDepth());
  return metrics_.Text();
}

}  // namespace thinwire
