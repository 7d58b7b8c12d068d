#include "server/service/client_desk.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/update/upload_budget.h"
#include "common/wire/convert.h"
#include "common/wire/report_convert.h"
#include "server/service/chunks.h"
#include "server/service/join_check.h"
#include "server/service/retry_window.h"
#include "server/service/update_states.h"

namespace thinwire {
namespace {

absl::Status NotJoined() { return absl::FailedPreconditionError("not joined: call Join"); }

}  // namespace

template <typename T>
void ClientDesk::Decide(std::function<absl::StatusOr<T>()> decide, Reply<T> reply) {
  const absl::Status taken = driver_->TryRun([this, decide = std::move(decide), reply] {
    const absl::Status admission = driver_->admission();
    reply(admission.ok() ? decide() : admission);
  });
  if (!taken.ok()) reply(NotTaken(taken));
}

absl::Status ClientDesk::NotTaken(const absl::Status& status) {
  // In metrics only: the status is the driver's, which has no time.
  if (absl::IsResourceExhausted(status)) parts_.metrics->CountRefusal("driver busy");
  return status;
}

void ClientDesk::Join(const v1::JoinRequest& request, Reply<v1::JoinResponse> reply) {
  Decide<v1::JoinResponse>([this, &request] { return JoinNow(request); }, std::move(reply));
}
void ClientDesk::UploadStatus(const v1::UploadStatusRequest& request, Reply<v1::UploadStatusResponse> reply) {
  Decide<v1::UploadStatusResponse>([this, &request] { return UploadStatusNow(request); }, std::move(reply));
}
void ClientDesk::ReportEvaluation(const v1::ReportEvaluationRequest& request,
                                  Reply<v1::ReportEvaluationResponse> reply) {
  Decide<v1::ReportEvaluationResponse>([this, &request] { return ReportEvaluationNow(request); }, std::move(reply));
}
void ClientDesk::ReportFailure(const v1::ReportFailureRequest& request, Reply<v1::ReportFailureResponse> reply) {
  Decide<v1::ReportFailureResponse>([this, &request] { return ReportFailureNow(request); }, std::move(reply));
}
void ClientDesk::Leave(const v1::LeaveRequest& request, Reply<v1::LeaveResponse> reply) {
  Decide<v1::LeaveResponse>([this, &request] { return LeaveNow(request); }, std::move(reply));
}
void ClientDesk::AdmitUpload(const v1::UploadHeader& header, UploadStream* stream, Reply<Admission> reply) {
  Decide<Admission>([this, &header, stream] { return AdmitNow(header, stream); }, std::move(reply));
}

void ClientDesk::Expel(const std::string& client, const absl::Status& status) {
  // If it is not taken, the client's place goes when the server leaves or the lease ends.
  (void)driver_->TryRun(
      [this, client, status] { driver_->Forget(client, absl::StrCat("certificate: ", status.message()), status); });
}

absl::Status ClientDesk::CheckJoined(const std::string& client) {
  return parts_.clients->Touch(client, parts_.clock->Now()) ? absl::OkStatus() : NotJoined();
}

absl::StatusOr<v1::HeartbeatResponse> ClientDesk::Heartbeat(const v1::HeartbeatRequest& request) {
  const std::string activity = CleanText(request.activity());
  if (!parts_.clients->SetActivity(request.client_id(), activity, parts_.clock->Now())) return NotJoined();
  return v1::HeartbeatResponse();
}

void ClientDesk::Await(HeldCall call) {
  // Shared, because a task that is not taken must be answered too.
  auto shared = std::make_shared<HeldCall>(std::move(call));
  const absl::Status taken = driver_->TryRun([this, shared] {
    absl::Status status = driver_->admission();
    if (status.ok()) status = CheckJoined(shared->client);
    if (!status.ok()) return shared->answer(status);
    parts_.clients->UpdateLink(shared->client,
                               [&shared](ClientLink* link) { link->bits_per_second = shared->uplink_bits_per_second; });
    driver_->Hold(std::move(*shared));
  });
  if (!taken.ok()) shared->answer(NotTaken(taken));
}

void ClientDesk::CancelAwait(const std::string& client, uint64_t call) {
  // If it is not taken, the call is not held, or is answered when its time is up.
  (void)driver_->TryRun([this, client, call] { driver_->CancelHeld(client, call); });
}

absl::Status ClientDesk::CheckRoom(const std::string& client, Role role) {
  const bool trains = role == Role::kTrainer;
  const v1::LimitsConfig& limits = parts_.config.proto.limits();
  const size_t joined = parts_.clients->live(role);
  const std::optional<ClientInfo> before = parts_.clients->Find(client);
  const bool inside = before.has_value() && before->role == role;
  if (inside || joined < (trains ? limits.clients() : limits.evaluators())) return absl::OkStatus();
  const absl::Status full = WithRetryWindow(
      absl::ResourceExhaustedError(absl::StrCat(joined, trains ? " trainers have joined, all that limits.clients allows"
                                                               : " evaluators have joined, all that limits.evaluators "
                                                                 "allows")),
      parts_.config);
  driver_->CountRefusal("too many clients", client, full);
  return full;
}

absl::StatusOr<v1::JoinResponse> ClientDesk::JoinNow(const v1::JoinRequest& request) {
  const v1::FederationConfig& config = parts_.config.proto;
  const std::shared_ptr<const ModelSpec> model = parts_.models->model();
  JoinVerdict verdict = CheckJoin(request, JoinRules{parts_.config.plan, config.aggregation().max_examples(), model});
  if (!verdict.status.ok()) {
    driver_->CountRefusal(verdict.refusal, CleanText(request.client_id()), verdict.status);
    return verdict.status;
  }
  TW_RETURN_IF_ERROR(CheckRoom(verdict.client.id, verdict.client.role));
  spdlog::info("joined client={} role={} examples={} software=\"{}\"", verdict.client.id,
               verdict.client.role == Role::kTrainer ? "trainer" : "evaluator", verdict.client.examples,
               verdict.client.software);
  verdict.client.told_model = model != nullptr;
  parts_.clients->Put(std::move(verdict.client), parts_.clock->Now());
  driver_->Apply(Tick{});  // so that status and timer know of it

  v1::JoinResponse response;
  response.set_run_name(config.run().name());
  response.set_run_seed(config.run().seed());
  response.set_wire_version(kWireVersion);
  response.mutable_limits()->set_max_chunk_bytes(GrantedChunkBytes(config.round().clients()));
  *response.mutable_plan() = ToProto(parts_.config.plan);
  *response.mutable_heartbeat_interval() = config.client().heartbeat_interval();
  *response.mutable_retry()->mutable_min() = config.client().retry_min();
  *response.mutable_retry()->mutable_max() = config.client().retry_max();
  if (config.model().has_from_client_seed()) response.set_initial_seed(config.model().from_client_seed());
  if (model == nullptr) return response;
  TW_ASSIGN_OR_RETURN(const uint64_t max_payload, MaxUploadSize(parts_.config.plan, *parts_.models->update_spec()));
  response.mutable_limits()->set_max_payload_bytes(max_payload);
  *response.mutable_model() = ToProto(*model);
  return response;
}

absl::StatusOr<UpdateRow> ClientDesk::OwnAssignment(const std::string& client, const std::string& assignment) {
  TW_RETURN_IF_ERROR(CheckJoined(client));
  TW_ASSIGN_OR_RETURN(std::optional<UpdateRow> row, parts_.journal->FindAssignment(assignment));
  if (row.has_value() && row->assignment.client == client) return *std::move(row);
  const absl::Status status = absl::NotFoundError(
      absl::StrCat("assignment '", CleanText(assignment), "' is unknown, or another client's: call AwaitAssignment"));
  driver_->CountRefusal("unknown assignment", client, status);
  return status;
}

absl::StatusOr<v1::UploadStatusResponse> ClientDesk::UploadStatusNow(const v1::UploadStatusRequest& request) {
  TW_ASSIGN_OR_RETURN(const UpdateRow row, OwnAssignment(request.client_id(), request.assignment_id()));
  v1::UploadStatusResponse response;
  response.set_state(StateOf(row.assignment.state));
  response.set_reason(row.assignment.reason);
  if (row.assignment.state != AssignmentState::kTraining) return response;
  const absl::StatusOr<Digest> payload = Digest::FromBytes(request.payload_id());
  if (!payload.ok()) return absl::InvalidArgumentError(absl::StrCat("payload_id: ", payload.status().message()));
  const uint64_t received = parts_.spool->ReceivedBytes(request.assignment_id(), *payload);
  if (received > 0) response.set_state(v1::UPDATE_STATE_PARTIAL);
  response.set_received_bytes(received);
  return response;
}

absl::StatusOr<v1::ReportEvaluationResponse> ClientDesk::ReportEvaluationNow(
    const v1::ReportEvaluationRequest& request) {
  TW_ASSIGN_OR_RETURN(const UpdateRow row, OwnAssignment(request.client_id(), request.assignment_id()));
  if (row.assignment.kind != WorkKind::kEvaluate) {
    return absl::InvalidArgumentError(absl::StrCat("assignment ", row.assignment.id, " is not an evaluation"));
  }
  if (row.assignment.state != AssignmentState::kTraining) return v1::ReportEvaluationResponse();  // told before
  const absl::Status status = CheckEvaluation(request);
  if (!status.ok()) {
    driver_->CountRefusal("bad request", request.client_id(), status);
    driver_->Apply(AssignmentFailed{row.assignment.id, absl::StrCat("bad evaluation: ", status.message()), true});
    return status;
  }
  EvaluationRow evaluation;
  evaluation.version = row.assignment.version;
  evaluation.client = request.client_id();
  evaluation.examples = request.examples();
  evaluation.loss = request.loss();
  evaluation.accuracy = request.accuracy();
  TW_RETURN_IF_ERROR(parts_.journal->PutEvaluation(evaluation));
  TW_RETURN_IF_ERROR(parts_.journal->SetAssignmentState(row.assignment.id, AssignmentState::kFolded, ""));
  driver_->EvaluationArrived(evaluation, row.assignment.id);
  return v1::ReportEvaluationResponse();
}

absl::StatusOr<v1::ReportFailureResponse> ClientDesk::ReportFailureNow(const v1::ReportFailureRequest& request) {
  TW_ASSIGN_OR_RETURN(const UpdateRow row, OwnAssignment(request.client_id(), request.assignment_id()));
  const std::string reason = CleanText(request.reason());
  spdlog::warn("client failed client={} assignment={} reason=\"{}\"", request.client_id(), row.assignment.id, reason);
  driver_->Apply(AssignmentFailed{row.assignment.id, absl::StrCat("client failed: ", reason), true});
  return v1::ReportFailureResponse();
}

absl::StatusOr<v1::LeaveResponse> ClientDesk::LeaveNow(const v1::LeaveRequest& request) {
  if (!parts_.clients->Find(request.client_id()).has_value()) return v1::LeaveResponse();  // gone before
  const std::string reason = absl::StrCat("left: ", CleanText(request.reason()));
  driver_->Forget(request.client_id(), reason, absl::CancelledError("the client has left"));
  return v1::LeaveResponse();
}

absl::Status ClientDesk::CheckHeader(const v1::UploadHeader& header, const UpdateRow& row, Admission* admission) {
  TW_ASSIGN_OR_RETURN(const PayloadRef payload, FromProto(header.payload()));
  const bool initial = row.assignment.kind == WorkKind::kInitialize;
  const std::shared_ptr<const ModelSpec> model = driver_->ModelFor(row.assignment.kind);
  if (row.assignment.kind == WorkKind::kEvaluate || model == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("assignment ", row.assignment.id, " takes no upload"));
  }
  const Representation representation = initial ? Representation::kModel : parts_.config.plan.uplink_representation;
  TW_ASSIGN_OR_RETURN(uint64_t limit, initial ? MaxPayloadSize(*model, representation, CodecSpec::Fp32())
                                              : MaxUploadSize(parts_.config.plan, *model));
  if (row.assignment.upload_bits > 0) limit = std::min(limit, row.assignment.upload_bits / 8);
  if (payload.total_size > limit) {
    return absl::ResourceExhaustedError(absl::StrCat("payload.total_size is ", payload.total_size,
                                                     " bytes; this run's plan allows at most ", limit,
                                                     " in this assignment: encode it as the plan says"));
  }
  const std::optional<ClientInfo> client = parts_.clients->Find(header.client_id());
  const uint64_t most = client.has_value() ? client->examples : 0;
  if (!initial && (header.examples() < 1 || header.examples() > most)) {
    return absl::InvalidArgumentError(
        absl::StrCat("examples is ", header.examples(), "; it must be 1..", most, ", what this client's Join said"));
  }
  if (!std::isfinite(header.train_loss())) {
    return absl::InvalidArgumentError(absl::StrCat("train_loss is ", header.train_loss(), "; it must be finite"));
  }
  TW_RETURN_IF_ERROR(FromProto(header.coding()).status());
  const ModelSpec& whole = initial ? *model : *parts_.models->model();
  TW_ASSIGN_OR_RETURN(admission->fp32_size, MaxPayloadSize(whole, representation, CodecSpec::Fp32()));
  admission->kind = row.assignment.kind;
  return absl::OkStatus();
}

absl::StatusOr<ClientDesk::Admission> ClientDesk::AdmitNow(const v1::UploadHeader& header, UploadStream* stream) {
  TW_ASSIGN_OR_RETURN(const UpdateRow row, OwnAssignment(header.client_id(), header.assignment_id()));
  Admission admission;
  if (row.assignment.state != AssignmentState::kTraining) {
    TW_ASSIGN_OR_RETURN(admission.receipt, ReceiptOf(row.assignment, parts_.config.late));
    return admission;
  }
  const absl::Status status = CheckHeader(header, row, &admission);
  if (!status.ok()) {
    driver_->CountRefusal("bad upload", header.client_id(), status);
    // It will not get better by trying again: the client loses its place.
    driver_->Apply(AssignmentFailed{row.assignment.id, absl::StrCat("bad upload: ", status.message()), true});
    return status;
  }
  const absl::Status entered = WithRetryWindow(parts_.uploads->Enter(row.assignment.id, stream), parts_.config);
  if (!entered.ok()) {
    driver_->CountRefusal("too many uploads", header.client_id(), entered);
    return entered;
  }
  return admission;
}

}  // namespace thinwire
