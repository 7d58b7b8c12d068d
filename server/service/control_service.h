// The gRPC service for operators.
#ifndef THINWIRE_SERVER_SERVICE_CONTROL_SERVICE_H_
#define THINWIRE_SERVER_SERVICE_CONTROL_SERVICE_H_

#include "absl/status/statusor.h"
#include "server/service/service_parts.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {

// Thread-safe.
class ControlService final : public v1::Control::CallbackService {
 public:
  // `parts` must outlive every call.
  explicit ControlService(ServiceParts* parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchStatusResponse>* WatchStatus(grpc::CallbackServerContext* context,
                                                                 const v1::WatchStatusRequest* request) override;
  grpc::ServerUnaryReactor* ListRounds(grpc::CallbackServerContext* context, const v1::ListRoundsRequest* request,
                                       v1::ListRoundsResponse* response) override;
  grpc::ServerWriteReactor<v1::ExportModelResponse>* ExportModel(grpc::CallbackServerContext* context,
                                                                 const v1::ExportModelRequest* request) override;
  grpc::ServerUnaryReactor* ListClients(grpc::CallbackServerContext* context, const v1::ListClientsRequest* request,
                                        v1::ListClientsResponse* response) override;
  grpc::ServerUnaryReactor* StartRun(grpc::CallbackServerContext* context, const v1::StartRunRequest* request,
                                     v1::StartRunResponse* response) override;
  grpc::ServerUnaryReactor* StopRun(grpc::CallbackServerContext* context, const v1::StopRunRequest* request,
                                    v1::StopRunResponse* response) override;

 private:
  // On the driver's thread: applies `event` unless the run has ended, and answers with the status after it.
  template <typename Response>
  grpc::ServerUnaryReactor* Steer(grpc::CallbackServerContext* context, const Event& event, Response* response);
  // Why the I/O pool has not taken a task.
  absl::Status IoBusy() const;
  absl::Status FillRounds(const v1::ListRoundsRequest& request, v1::ListRoundsResponse* response);

  ServiceParts* const parts_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_CONTROL_SERVICE_H_
