#include "client/rpc/connection.h"

#include "common/rpc/credentials.h"
#include "common/rpc/grpc_status.h"

namespace thinwire {

std::shared_ptr<Connection::Link> Connection::MakeLink() const {
  auto link = std::make_shared<Link>();
  link->channel = make_channel_();
  link->stub = v1::Federation::NewStub(link->channel);
  return link;
}

std::shared_ptr<Connection::Link> Connection::Use() const {
  MutexLock lock(mutex_);
  return link_;
}

absl::Status Connection::Finish(const std::shared_ptr<Link>& link, const grpc::Status& status) {
  // A certificate that expired may have been replaced since; a new connection shows the new one.
  const bool stale = status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
  const bool unconnected = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                           link->channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_TRANSIENT_FAILURE;
  if (stale || unconnected) {
    std::shared_ptr<Link> fresh = MakeLink();
    MutexLock lock(mutex_);
    if (link_ == link) link_ = std::move(fresh);
  }
  return ExplainHandshake(FromGrpcStatus(status));
}

}  // namespace thinwire
