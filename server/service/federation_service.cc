#include "server/service/federation_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>

#include "common/rpc/grpc_status.h"
#include "server/service/await_reactor.h"
#include "server/service/download_reactor.h"
#include "server/service/upload_reactor.h"

namespace thinwire {
namespace {

// A stream that ends before it began.
class RefusedDownload final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedDownload(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

template <typename Request, typename Response, typename Handle>
grpc::ServerUnaryReactor* FederationService::Serve(grpc::CallbackServerContext* context, const Request& request,
                                                   Response* response, Handle handle) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status allowed = parts_->peers->CheckClient(*context, request.client_id());
  if (!allowed.ok()) {
    reactor->Finish(ToGrpcStatus(allowed));
    return reactor;
  }
  TrafficMeter* const traffic = parts_->run->traffic;
  const Role role = parts_->run->clients->RoleOf(request.client_id());
  traffic->AddMessage(role, Direction::kUp, request.ByteSizeLong());
  handle(request, [reactor, response, traffic, role](absl::StatusOr<Response> reply) {
    if (reply.ok()) {
      *response = *std::move(reply);
      traffic->AddMessage(role, Direction::kDown, response->ByteSizeLong());
    }
    reactor->Finish(ToGrpcStatus(reply.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* FederationService::Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                                  v1::JoinResponse* response) {
  return Serve(context, *request, response,
               [this](const auto& in, auto reply) { parts_->desk->Join(in, std::move(reply)); });
}

grpc::ServerUnaryReactor* FederationService::AwaitAssignment(grpc::CallbackServerContext* context,
                                                             const v1::AwaitAssignmentRequest* request,
                                                             v1::AwaitAssignmentResponse* response) {
  const absl::Status allowed = parts_->peers->CheckClient(*context, request->client_id());
  if (!allowed.ok()) {
    grpc::ServerUnaryReactor* const refusal = context->DefaultReactor();
    refusal->Finish(ToGrpcStatus(allowed));
    return refusal;
  }
  auto* const reactor = new AwaitReactor(parts_, context, *request, response);
  reactor->Begin();
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* FederationService::Download(grpc::CallbackServerContext* context,
                                                                        const grpc::ByteBuffer* request) {
  grpc::ByteBuffer bytes(*request);
  v1::DownloadRequest parsed;
  const grpc::Status status = grpc::SerializationTraits<v1::DownloadRequest>::Deserialize(&bytes, &parsed);
  if (!status.ok()) parsed.Clear();  // a client without a name has not joined
  const absl::Status allowed = parts_->peers->CheckClient(*context, parsed.client_id());
  if (!allowed.ok()) return new RefusedDownload(allowed);
  auto* const reactor = new DownloadReactor(parts_, parsed);
  reactor->Begin();
  return reactor;
}

grpc::ServerReadReactor<grpc::ByteBuffer>* FederationService::Upload(grpc::CallbackServerContext* context,
                                                                     grpc::ByteBuffer* response) {
  auto* const reactor = new UploadReactor(parts_, response, context);
  reactor->Begin();
  return reactor;
}

grpc::ServerUnaryReactor* FederationService::UploadStatus(grpc::CallbackServerContext* context,
                                                          const v1::UploadStatusRequest* request,
                                                          v1::UploadStatusResponse* response) {
  return Serve(context, *request, response,
               [this](const auto& in, auto reply) { parts_->desk->UploadStatus(in, std::move(reply)); });
}

grpc::ServerUnaryReactor* FederationService::ReportEvaluation(grpc::CallbackServerContext* context,
                                                              const v1::ReportEvaluationRequest* request,
                                                              v1::ReportEvaluationResponse* response) {
  return Serve(context, *request, response,
               [this](const auto& in, auto reply) { parts_->desk->ReportEvaluation(in, std::move(reply)); });
}

grpc::ServerUnaryReactor* FederationService::ReportFailure(grpc::CallbackServerContext* context,
                                                           const v1::ReportFailureRequest* request,
                                                           v1::ReportFailureResponse* response) {
  return Serve(context, *request, response,
               [this](const auto& in, auto reply) { parts_->desk->ReportFailure(in, std::move(reply)); });
}

grpc::ServerUnaryReactor* FederationService::Heartbeat(grpc::CallbackServerContext* context,
                                                       const v1::HeartbeatRequest* request,
                                                       v1::HeartbeatResponse* response) {
  return Serve(context, *request, response, [this](const auto& in, auto reply) { reply(parts_->desk->Heartbeat(in)); });
}

grpc::ServerUnaryReactor* FederationService::Leave(grpc::CallbackServerContext* context,
                                                   const v1::LeaveRequest* request, v1::LeaveResponse* response) {
  return Serve(context, *request, response,
               [this](const auto& in, auto reply) { parts_->desk->Leave(in, std::move(reply)); });
}

}  // namespace thinwire
