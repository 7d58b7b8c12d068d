// The gRPC service for clients: converts, hands on, finishes. No policy, and nothing blocks.
#ifndef THINWIRE_SERVER_SERVICE_FEDERATION_SERVICE_H_
#define THINWIRE_SERVER_SERVICE_FEDERATION_SERVICE_H_

#include "server/service/service_parts.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

// Thread-safe.
// Download and Upload go around the generated message classes, see download_reactor.h and upload_part.h.
class FederationService final : public v1::Federation::WithRawCallbackMethod_Download<
                                    v1::Federation::WithRawCallbackMethod_Upload<v1::Federation::CallbackService>> {
 public:
  // `parts` must outlive every call.
  explicit FederationService(ServiceParts* parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                 v1::JoinResponse* response) override;
  grpc::ServerUnaryReactor* AwaitAssignment(grpc::CallbackServerContext* context,
                                            const v1::AwaitAssignmentRequest* request,
                                            v1::AwaitAssignmentResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Download(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* Upload(grpc::CallbackServerContext* context,
                                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* UploadStatus(grpc::CallbackServerContext* context, const v1::UploadStatusRequest* request,
                                         v1::UploadStatusResponse* response) override;
  grpc::ServerUnaryReactor* ReportEvaluation(grpc::CallbackServerContext* context,
                                             const v1::ReportEvaluationRequest* request,
                                             v1::ReportEvaluationResponse* response) override;
  grpc::ServerUnaryReactor* ReportFailure(grpc::CallbackServerContext* context, const v1::ReportFailureRequest* request,
                                          v1::ReportFailureResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context, const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;
  grpc::ServerUnaryReactor* Leave(grpc::CallbackServerContext* context, const v1::LeaveRequest* request,
                                  v1::LeaveResponse* response) override;

 private:
  // Calls `handle(request, reply)` and finishes with what it replies; counts the bytes of both messages.
  template <typename Request, typename Response, typename Handle>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, const Request& request, Response* response,
                                  Handle handle);

  ServiceParts* const parts_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_FEDERATION_SERVICE_H_
