// The operator's side of the Control service.
#ifndef THINWIRE_CLIENT_CLI_CONTROL_CLIENT_H_
#define THINWIRE_CLIENT_CLI_CONTROL_CLIENT_H_

#include <grpcpp/security/credentials.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {

// Every unary call has a deadline of 10 s; streams end when the server has sent nothing at all for as long as TCP and
// gRPC's keepalive take to notice that it is gone. Errors: UNAVAILABLE naming the address, or what the server said.
// Thread-compatible.
class ControlClient {
 public:
  // `address`: HOST:PORT of a server's control port.
  ControlClient(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

  absl::StatusOr<v1::Status> Status();
  // Every round from `first` on.
  absl::StatusOr<std::vector<v1::RoundSummary>> Rounds(uint32_t first);
  // Every joined client, by id.
  absl::StatusOr<std::vector<v1::ClientSummary>> Clients();
  // The status after it. FAILED_PRECONDITION if the run has ended.
  absl::StatusOr<v1::Status> Start();
  absl::StatusOr<v1::Status> Stop(const std::string& reason);
  // Calls `on_status` for the status now and at each change, until it returns false or the run ends.
  absl::Status Watch(const std::function<bool(const v1::Status&)>& on_status);
  // Writes a version of the model (default: the newest) to `path`, atomically. `progress` gets bytes done and in all.
  absl::StatusOr<v1::ExportHeader> Export(std::optional<uint64_t> version, const std::string& path,
                                          const std::function<void(uint64_t, uint64_t)>& progress);

 private:
  using Stub = v1::Control::Stub;
  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request);
  absl::Status Explain(const absl::Status& status) const;

  std::string address_;
  std::unique_ptr<v1::Control::Stub> stub_;
};

// True if a run in this state goes on no further.
bool IsFinal(v1::RunState state);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_CONTROL_CLIENT_H_
