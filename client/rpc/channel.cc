#include "client/rpc/channel.h"

#include <grpcpp/create_channel.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr int kKeepaliveMs = 200'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// A channel that could not connect is replaced (client/rpc/connection.h): gRPC itself need not try again meanwhile.
constexpr int kConnectMs = 20'000;
constexpr int kReconnectMs = 600'000;

bool IsLoopback(const std::string& server) {
  return absl::StartsWith(server, "127.") || absl::StartsWith(server, "localhost:") ||
         absl::StartsWith(server, "[::1]:");
}

grpc::ChannelArguments Arguments(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  // An HTTP proxy that the environment names cannot lead to this machine's own ports.
  if (IsLoopback(server)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Channels share no connection, and no memory of failing to connect.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // No server of ours packs its messages; one that does is not to unpack itself in here.
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  return arguments;
}

}  // namespace

absl::Status CheckServerAddress(const std::string& server) {
  const size_t colon = server.rfind(':');
  int port = 0;
  const bool good = colon != std::string::npos && colon > 0 && server.size() <= 261 &&
                    absl::SimpleAtoi(server.substr(colon + 1), &port) && port >= 1 && port <= 65535 &&
                    !absl::StrContains(server, '/');
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("server address '", server, "' must be HOST:PORT with a port in 1..65535, such as 127.0.0.1:9480"));
}

absl::StatusOr<ChannelFactory> ChannelsTo(const std::string& server,
                                          std::shared_ptr<grpc::ChannelCredentials> credentials) {
  TW_RETURN_IF_ERROR(CheckServerAddress(server));
  return ChannelFactory([server, credentials = std::move(credentials)] {
    return grpc::CreateCustomChannel(server, credentials, Arguments(server));
  });
}

}  // namespace thinwire
