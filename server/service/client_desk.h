// What the server answers its clients: every request but the bytes of payloads. Decides on the driver's thread.
#ifndef THINWIRE_SERVER_SERVICE_CLIENT_DESK_H_
#define THINWIRE_SERVER_SERVICE_CLIENT_DESK_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/service/held_calls.h"
#include "server/service/run_driver.h"
#include "server/service/run_parts.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// Thread-safe. A reply is called exactly once, on the driver's thread or, if that takes no more work, on the caller's;
// it must not block. Requests must live until their reply.
class ClientDesk {
 public:
  template <typename T>
  using Reply = std::function<void(absl::StatusOr<T>)>;

  // `parts` and `driver` must outlive it.
  ClientDesk(const RunParts& parts, RunDriver* driver) : parts_(parts), driver_(driver) {}

  void Join(const v1::JoinRequest& request, Reply<v1::JoinResponse> reply);
  void Await(HeldCall call);
  // The client may not take part any more: its places are free for others, and calls in its name end with `status`.
  void Expel(const std::string& client, const absl::Status& status);
  void CancelAwait(const std::string& client, uint64_t call);
  void UploadStatus(const v1::UploadStatusRequest& request, Reply<v1::UploadStatusResponse> reply);
  void ReportEvaluation(const v1::ReportEvaluationRequest& request, Reply<v1::ReportEvaluationResponse> reply);
  void ReportFailure(const v1::ReportFailureRequest& request, Reply<v1::ReportFailureResponse> reply);
  void Leave(const v1::LeaveRequest& request, Reply<v1::LeaveResponse> reply);
  // Needs no thread but the caller's.
  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const v1::HeartbeatRequest& request);

  // May this upload begin? If so `stream` is entered among the open ones. If the assignment's update is settled or
  // received already, the answer is its receipt.
  struct Admission {
    std::optional<v1::UploadResponse> receipt;
    WorkKind kind = WorkKind::kTrain;
    uint64_t fp32_size = 0;  // the same payload as FP32
  };
  void AdmitUpload(const v1::UploadHeader& header, UploadStream* stream, Reply<Admission> reply);
  // FAILED_PRECONDITION unless the client has joined. Renews its lease. Any thread.
  absl::Status CheckJoined(const std::string& client);

 private:
  // Runs `decide` on the driver's thread and replies with what it returns.
  template <typename T>
  void Decide(std::function<absl::StatusOr<T>()> decide, Reply<T> reply);

  // What to answer a request that the driver has not taken: counts it if there are too many.
  absl::Status NotTaken(const absl::Status& status);
  // RESOURCE_EXHAUSTED if nobody else may join.
  absl::Status CheckRoom(const std::string& client, Role role);
  absl::StatusOr<v1::JoinResponse> JoinNow(const v1::JoinRequest& request);
  absl::StatusOr<v1::UploadStatusResponse> UploadStatusNow(const v1::UploadStatusRequest& request);
  absl::StatusOr<v1::ReportEvaluationResponse> ReportEvaluationNow(const v1::ReportEvaluationRequest& request);
  absl::StatusOr<v1::ReportFailureResponse> ReportFailureNow(const v1::ReportFailureRequest& request);
  absl::StatusOr<v1::LeaveResponse> LeaveNow(const v1::LeaveRequest& request);
  absl::StatusOr<Admission> AdmitNow(const v1::UploadHeader& header, UploadStream* stream);
  absl::Status CheckHeader(const v1::UploadHeader& header, const UpdateRow& row, Admission* admission);
  // The assignment, if it is this client's; NOT_FOUND otherwise.
  absl::StatusOr<UpdateRow> OwnAssignment(const std::string& client, const std::string& assignment);

  const RunParts& parts_;
  RunDriver* const driver_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_CLIENT_DESK_H_
