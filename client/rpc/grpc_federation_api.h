// FederationApi over gRPC: one connection, synchronous calls.
#ifndef THINWIRE_CLIENT_RPC_GRPC_FEDERATION_API_H_
#define THINWIRE_CLIENT_RPC_GRPC_FEDERATION_API_H_

#include <memory>
#include <string>

#include "client/rpc/active_calls.h"
#include "client/rpc/chunk_sizer.h"
#include "client/rpc/connection.h"
#include "client/rpc/progress_watchdog.h"
#include "client/session/federation_api.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

struct RpcTimeouts {
  absl::Duration call = absl::Seconds(10);   // of a short call
  absl::Duration leave = absl::Seconds(3);   // a client that goes does not wait long
  absl::Duration await = absl::Seconds(75);  // the server holds the call for at most a minute
  // A transfer has no deadline of its own: it ends with DEADLINE_EXCEEDED when no byte has moved for this long.
  absl::Duration stall = absl::Seconds(30);
  // After an upload's last byte the server checks, syncs and journals it: this, and a second for each 4 MiB.
  absl::Duration commit = absl::Minutes(2);
};

// Thread-safe; Download and Upload one at a time. Errors are the server's own, with UNAVAILABLE and DEADLINE_EXCEEDED
// from the network.
class GrpcFederationApi : public FederationApi {
 public:
  GrpcFederationApi(ChannelFactory make_channel, std::string client_id, RpcTimeouts timeouts = {});

  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override;
  absl::StatusOr<AwaitReply> AwaitAssignment(const Holdings& holdings) override;
  absl::Status Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) override;
  absl::StatusOr<UpdateStatus> Upload(const UploadRequest& request, const Source& source) override;
  absl::StatusOr<UpdateStatus> UploadStatus(const std::string& assignment_id, const Digest& payload_id) override;
  absl::Status ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) override;
  absl::Status ReportFailure(const std::string& assignment_id, const std::string& reason) override;
  absl::Status Heartbeat(const std::string& activity) override;
  absl::Status Leave(const std::string& reason) override;
  void Cancel() override;

 private:
  // One unary call with a prepared context.
  template <typename Request, typename Response>
  absl::Status CallWith(grpc::ClientContext* context,
                        grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request, absl::Duration timeout, Response* response);
  // Likewise; Cancel ends it.
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, absl::Duration timeout, Response* response);
  // The chunks of an upload, until all are written, `source` fails (its error) or the stream breaks (OK: its status is
  // to be had from Finish).
  absl::Status SendChunks(const UploadRequest& request, const Source& source,
                          grpc::ClientWriter<v1::UploadRequest>* writer, ProgressWatchdog* watchdog);

  Connection connection_;
  const std::string client_id_;
  const RpcTimeouts timeouts_;
  ActiveCalls calls_;
  ChunkSizer down_;
  ChunkSizer up_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_GRPC_FEDERATION_API_H_
