// A server of another release, as far as one client can tell: it answers what a test says.
#ifndef THINWIRE_TESTS_INTEGRATION_SCRIPTED_SERVER_H_
#define THINWIRE_TESTS_INTEGRATION_SCRIPTED_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

// Answers one client from construction to destruction.
class ScriptedServer final : public v1::Federation::Service {
 public:
  // The last answer to AwaitAssignment is given again and again.
  ScriptedServer(v1::JoinResponse join, std::vector<v1::AwaitAssignmentResponse> work)
      : join_(std::move(join)), work_(std::move(work)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~ScriptedServer() override { server_->Shutdown(); }
  const std::string& address() const { return address_; }
  size_t asked() const { return asked_; }

  grpc::Status Join(grpc::ServerContext*, const v1::JoinRequest*, v1::JoinResponse* response) override {
    *response = join_;
    return grpc::Status::OK;
  }
  grpc::Status AwaitAssignment(grpc::ServerContext*, const v1::AwaitAssignmentRequest*,
                               v1::AwaitAssignmentResponse* response) override {
    *response = work_[std::min(asked_++, work_.size() - 1)];
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*, v1::HeartbeatResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest*, v1::LeaveResponse*) override {
    return grpc::Status::OK;
  }

 private:
  const v1::JoinResponse join_;
  const std::vector<v1::AwaitAssignmentResponse> work_;
  std::atomic<size_t> asked_{0};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_INTEGRATION_SCRIPTED_SERVER_H_
