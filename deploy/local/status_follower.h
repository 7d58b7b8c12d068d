// Follows Control.WatchStatus of a server on a thread of its own, for an owner that waits with poll(2).
#ifndef THINWIRE_DEPLOY_LOCAL_STATUS_FOLLOWER_H_
#define THINWIRE_DEPLOY_LOCAL_STATUS_FOLLOWER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "deploy/local/sockets.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {

struct StatusNews {
  std::optional<v1::Status> status;  // the newest since the last Take
  std::optional<absl::Status> end;   // the stream is over; OK if the server ended it
};

// Thread-safe.
class StatusFollower {
 public:
  // `control`: HOST:PORT. Waits for the server's channel, not longer than gRPC's own connection timeout.
  explicit StatusFollower(const std::string& control);
  // Cancels the stream.
  ~StatusFollower();

  // Readable when Take has news.
  int fd() const { return news_fd_.get(); }
  StatusNews Take();

  // Calls of their own, with a deadline of 10 s.
  absl::StatusOr<v1::Status> GetStatus();
  absl::StatusOr<std::vector<v1::RoundSummary>> ListRounds();

 private:
  void Follow();
  void Announce();

  const std::unique_ptr<v1::Control::Stub> stub_;
  const UniqueFd news_fd_;
  grpc::ClientContext context_;
  Mutex mutex_;
  StatusNews news_ TW_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_STATUS_FOLLOWER_H_
