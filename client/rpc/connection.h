// The channel in use. One that could not connect is replaced, so that the next call connects at once: when to try is
// for the session's retry window to say, not for gRPC's own backoff.
#ifndef THINWIRE_CLIENT_RPC_CONNECTION_H_
#define THINWIRE_CLIENT_RPC_CONNECTION_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "client/rpc/channel.h"
#include "common/base/mutex.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

// Thread-safe.
class Connection {
 public:
  struct Link {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::Federation::Stub> stub;
  };

  explicit Connection(ChannelFactory make_channel) : make_channel_(std::move(make_channel)), link_(MakeLink()) {}

  // To be used for one call, whose status is then given to Finish.
  std::shared_ptr<Link> Use() const;
  // Converts a call's status, and drops `link` if the call failed because it could not connect, or because the
  // certificate that it began with has expired.
  absl::Status Finish(const std::shared_ptr<Link>& link, const grpc::Status& status);

 private:
  std::shared_ptr<Link> MakeLink() const;

  const ChannelFactory make_channel_;
  mutable Mutex mutex_;
  std::shared_ptr<Link> link_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_CONNECTION_H_
