// A Federation service in this process, on a free port of 127.0.0.1, that does what a test tells it.
#ifndef THINWIRE_TESTS_UNIT_RPC_SCRIPTED_SERVER_H_
#define THINWIRE_TESTS_UNIT_RPC_SCRIPTED_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "gtest/gtest.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

// Opens once; whoever waits goes on.
class Gate {
 public:
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!open_) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ TW_GUARDED_BY(mutex_) = false;
};

// Handlers are set before the first call. A handler that is not set answers UNIMPLEMENTED.
class ScriptedService : public v1::Federation::Service {
 public:
  template <typename Request, typename Response>
  using Unary = std::function<grpc::Status(const Request&, Response*)>;

  Unary<v1::JoinRequest, v1::JoinResponse> join;
  Unary<v1::AwaitAssignmentRequest, v1::AwaitAssignmentResponse> await;
  std::function<grpc::Status(const v1::DownloadRequest&, grpc::ServerWriter<v1::DownloadResponse>*)> download;
  std::function<grpc::Status(grpc::ServerReader<v1::UploadRequest>*, v1::UploadResponse*)> upload;
  Unary<v1::UploadStatusRequest, v1::UploadStatusResponse> upload_status;
  Unary<v1::ReportEvaluationRequest, v1::ReportEvaluationResponse> report_evaluation;
  Unary<v1::ReportFailureRequest, v1::ReportFailureResponse> report_failure;
  Unary<v1::HeartbeatRequest, v1::HeartbeatResponse> heartbeat;
  Unary<v1::LeaveRequest, v1::LeaveResponse> leave;

 private:
  template <typename Handler, typename... Arguments>
  static grpc::Status Run(const Handler& handler, Arguments&&... arguments) {
    if (!handler) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no handler");
    return handler(std::forward<Arguments>(arguments)...);
  }
  grpc::Status Join(grpc::ServerContext*, const v1::JoinRequest* in, v1::JoinResponse* out) override {
    return Run(join, *in, out);
  }
  grpc::Status AwaitAssignment(grpc::ServerContext*, const v1::AwaitAssignmentRequest* in,
                               v1::AwaitAssignmentResponse* out) override {
    return Run(await, *in, out);
  }
  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest* in,
                        grpc::ServerWriter<v1::DownloadResponse>* out) override {
    return Run(download, *in, out);
  }
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* in,
                      v1::UploadResponse* out) override {
    return Run(upload, in, out);
  }
  grpc::Status UploadStatus(grpc::ServerContext*, const v1::UploadStatusRequest* in,
                            v1::UploadStatusResponse* out) override {
    return Run(upload_status, *in, out);
  }
  grpc::Status ReportEvaluation(grpc::ServerContext*, const v1::ReportEvaluationRequest* in,
                                v1::ReportEvaluationResponse* out) override {
    return Run(report_evaluation, *in, out);
  }
  grpc::Status ReportFailure(grpc::ServerContext*, const v1::ReportFailureRequest* in,
                             v1::ReportFailureResponse* out) override {
    return Run(report_failure, *in, out);
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* in, v1::HeartbeatResponse* out) override {
    return Run(heartbeat, *in, out);
  }
  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest* in, v1::LeaveResponse* out) override {
    return Run(leave, *in, out);
  }
};

class ScriptedServer {
 public:
  explicit ScriptedServer(const std::string& listen = "127.0.0.1:0") {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  // Lets handlers that wait at the gate go on.
  ~ScriptedServer() {
    gate.Open();
    server_->Shutdown();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  ScriptedService service;
  Gate gate;  // for handlers that are to hang until the test is over

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_RPC_SCRIPTED_SERVER_H_
