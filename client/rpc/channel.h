// How programs of this side connect to a server.
#ifndef THINWIRE_CLIENT_RPC_CHANNEL_H_
#define THINWIRE_CLIENT_RPC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace thinwire {

// INVALID_ARGUMENT unless `server` is HOST:PORT with a port in 1..65535.
absl::Status CheckServerAddress(const std::string& server);

using ChannelFactory = std::function<std::shared_ptr<grpc::Channel>()>;

// Makes channels to a server: each connects with its first call and again after every break. Message-size limits are
// gRPC's defaults. Keepalive pings go out below 210 s, since links in between forget idle connections after 240 s.
// INVALID_ARGUMENT as CheckServerAddress.
absl::StatusOr<ChannelFactory> ChannelsTo(const std::string& server,
                                          std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_CHANNEL_H_
