#include "client/rpc/federation_convert.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "common/wire/report_convert.h"

namespace thinwire {
namespace {

constexpr uint32_t kSpokenWireVersion = 1;
constexpr char kSoftware[] = "thinwire-client " THINWIRE_VERSION;
constexpr size_t kMaxAssignmentId = 1024;

absl::StatusOr<RetryWindow> WindowFromProto(const v1::RetryWindow& proto) {
  RetryWindow window;
  if (proto.has_min()) {
    TW_ASSIGN_OR_RETURN(window.min, FromProto(proto.min()));
  }
  if (proto.has_max()) {
    TW_ASSIGN_OR_RETURN(window.max, FromProto(proto.max()));
  }
  return window;
}

absl::StatusOr<AssignmentKind> KindFromProto(v1::AssignmentKind kind) {
  switch (kind) {
    case v1::ASSIGNMENT_KIND_INITIALIZE:
      return AssignmentKind::kInitialize;
    case v1::ASSIGNMENT_KIND_TRAIN:
      return AssignmentKind::kTrain;
    case v1::ASSIGNMENT_KIND_EVALUATE:
      return AssignmentKind::kEvaluate;
    default:
      return absl::UnimplementedError(
          absl::StrCat("the server gave an assignment of kind ", kind, ", which this client does not know; update it"));
  }
}

absl::StatusOr<SubspaceWork> SubspaceFromProto(const v1::SubspaceWork& proto) {
  SubspaceWork work;
  work.basis.epoch = proto.basis().epoch();
  TW_ASSIGN_OR_RETURN(work.basis.sha256, Digest::FromBytes(proto.basis().sha256()));
  work.first_epoch = proto.first_epoch();
  if (work.first_epoch > work.basis.epoch) {
    return absl::InvalidArgumentError(
        absl::StrCat("subspace.first_epoch is ", work.first_epoch, ", after the basis' own epoch, ", work.basis.epoch));
  }
  if (proto.has_snapshot()) {
    TW_ASSIGN_OR_RETURN(work.snapshot, FromProto(proto.snapshot()));
  }
  work.vector = proto.vector();
  TW_ASSIGN_OR_RETURN(work.base_id, Digest::FromBytes(proto.base_id()));
  return work;
}

absl::StatusOr<Assignment> AssignmentFromProto(const v1::Assignment& proto) {
  Assignment assignment;
  if (proto.assignment_id().empty() || proto.assignment_id().size() > kMaxAssignmentId) {
    return absl::InvalidArgumentError(
        absl::StrCat("assignment_id has ", proto.assignment_id().size(), " bytes, must have 1 to ", kMaxAssignmentId));
  }
  assignment.id = proto.assignment_id();
  TW_ASSIGN_OR_RETURN(assignment.kind, KindFromProto(proto.kind()));
  assignment.round = proto.round();
  assignment.version = proto.version();
  if (assignment.kind != AssignmentKind::kInitialize) {
    TW_ASSIGN_OR_RETURN(assignment.model, FromProto(proto.model()));
  }
  if (proto.has_frozen()) {
    TW_ASSIGN_OR_RETURN(assignment.frozen, FromProto(proto.frozen()));
  }
  if (proto.has_spec()) {
    TW_ASSIGN_OR_RETURN(assignment.spec, FromProto(proto.spec()));
  }
  TW_ASSIGN_OR_RETURN(assignment.training, FromProto(proto.training()));
  assignment.seed = proto.seed();
  assignment.upload_bits = proto.upload_bits();
  if (proto.has_time_left()) {
    TW_ASSIGN_OR_RETURN(assignment.time_left, FromProto(proto.time_left()));
  }
  if (proto.has_changes()) {
    assignment.changes.emplace();
    TW_ASSIGN_OR_RETURN(assignment.changes->payload, FromProto(proto.changes().payload()));
    assignment.changes->entries = proto.changes().entries();
  }
  if (proto.has_subspace()) {
    TW_ASSIGN_OR_RETURN(assignment.subspace, SubspaceFromProto(proto.subspace()));
  }
  return assignment;
}

// OK unless `value` is not a finite number from 0 to `max`.
absl::Status CheckRange(const char* field, double value, double max) {
  if (std::isfinite(value) && value >= 0 && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("training.", field, " is ", value, ", must be 0 to ", max));
}

absl::Status CheckTraining(const TrainingOptions& options) {
  constexpr double kAny = 1e30;
  TW_RETURN_IF_ERROR(CheckRange("learning_rate", options.learning_rate, kAny));
  TW_RETURN_IF_ERROR(CheckRange("momentum", options.momentum, 1));
  TW_RETURN_IF_ERROR(CheckRange("weight_decay", options.weight_decay, kAny));
  TW_RETURN_IF_ERROR(CheckRange("beta1", options.beta1, 1));
  TW_RETURN_IF_ERROR(CheckRange("beta2", options.beta2, 1));
  TW_RETURN_IF_ERROR(CheckRange("epsilon", options.epsilon, kAny));
  return CheckRange("proximal_mu", options.proximal_mu, kAny);
}

void ApplyAdam(const v1::Adam& adam, TrainingOptions* options) {
  options->optimizer = TrainingOptions::Optimizer::kAdam;
  if (adam.has_beta1()) options->beta1 = adam.beta1();
  if (adam.has_beta2()) options->beta2 = adam.beta2();
  if (adam.epsilon() != 0) options->epsilon = adam.epsilon();
  options->weight_decay = adam.weight_decay();
  options->decoupled = adam.decoupled();
  options->keep_state = adam.keep_state();
}

}  // namespace

v1::JoinRequest ToProto(const JoinRequest& request) {
  v1::JoinRequest proto;
  proto.set_client_id(request.client_id);
  proto.set_role(request.role == ClientRole::kEvaluator ? v1::CLIENT_ROLE_EVALUATOR : v1::CLIENT_ROLE_TRAINER);
  proto.add_wire_versions(kSpokenWireVersion);
  for (const v1::CodecKind kind :
       {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64, v1::CODEC_KIND_FLOAT_BLOCKS,
        v1::CODEC_KIND_SPARSE, v1::CODEC_KIND_RDU, v1::CODEC_KIND_QUANTIZED, v1::CODEC_KIND_SKETCH}) {
    proto.add_codecs(kind);
  }
  if (request.subspace) proto.add_codecs(v1::CODEC_KIND_SUBSPACE);
  proto.set_examples(request.examples);
  if (request.model) *proto.mutable_model() = ToProto(*request.model);
  proto.set_software(kSoftware);
  return proto;
}

v1::UploadHeader ToProto(const UploadRequest& request, const std::string& client_id) {
  v1::UploadHeader proto;
  proto.set_client_id(client_id);
  proto.set_assignment_id(request.assignment_id);
  *proto.mutable_payload() = ToProto(request.payload);
  proto.set_offset(request.offset);
  proto.set_examples(request.examples);
  proto.set_train_loss(request.train_loss);
  *proto.mutable_train_time() = ToProto(request.train_time);
  *proto.mutable_coding() = ToProto(request.coding);
  return proto;
}

absl::StatusOr<JoinReply> FromProto(const v1::JoinResponse& proto) {
  if (proto.wire_version() != kSpokenWireVersion) {
    return absl::UnimplementedError(absl::StrCat("the server speaks wire version ", proto.wire_version(),
                                                 ", this client ", kSpokenWireVersion, "; update the older one"));
  }
  JoinReply reply;
  reply.run_name = proto.run_name();
  reply.run_seed = proto.run_seed();
  reply.max_chunk_bytes = proto.limits().max_chunk_bytes();
  absl::StatusOr<ExchangePlan> plan = FromProto(proto.plan());
  if (!plan.ok()) {  // the server has checked it: it knows something that this client does not
    return absl::UnimplementedError(absl::StrCat("the run's plan is none that this client understands (",
                                                 plan.status().message(), "); update the client"));
  }
  reply.plan = *std::move(plan);
  reply.heartbeat_interval = absl::Seconds(5);
  if (proto.has_heartbeat_interval()) {
    TW_ASSIGN_OR_RETURN(reply.heartbeat_interval, FromProto(proto.heartbeat_interval()));
  }
  TW_ASSIGN_OR_RETURN(reply.retry, WindowFromProto(proto.retry()));
  if (proto.has_model()) {
    TW_ASSIGN_OR_RETURN(reply.model, FromProto(proto.model()));
  }
  if (proto.has_initial_seed()) reply.initial_seed = proto.initial_seed();
  return reply;
}

absl::StatusOr<AwaitReply> FromProto(const v1::AwaitAssignmentResponse& proto) {
  switch (proto.outcome_case()) {
    case v1::AwaitAssignmentResponse::kAssignment: {
      TW_ASSIGN_OR_RETURN(Assignment assignment, AssignmentFromProto(proto.assignment()));
      return AwaitReply(std::move(assignment));
    }
    case v1::AwaitAssignmentResponse::kComeBack: {
      ComeBack come_back;
      TW_ASSIGN_OR_RETURN(come_back.retry, WindowFromProto(proto.come_back().retry()));
      come_back.waiting_for = proto.come_back().waiting_for();
      return AwaitReply(std::move(come_back));
    }
    case v1::AwaitAssignmentResponse::kRunEnded:
      return AwaitReply(RunEnded{proto.run_ended().state(), proto.run_ended().reason()});
    case v1::AwaitAssignmentResponse::OUTCOME_NOT_SET:
      break;
  }
  return absl::UnimplementedError("the server's answer holds nothing that this client knows; update it");
}

absl::StatusOr<TrainingOptions> FromProto(const v1::TrainingConfig& proto) {
  TrainingOptions options;
  if (proto.amount_case() == v1::TrainingConfig::kLocalEpochs) options.local_epochs = proto.local_epochs();
  if (proto.amount_case() == v1::TrainingConfig::kLocalSteps) options.local_steps = proto.local_steps();
  if (proto.batch_size() > 0) options.batch_size = proto.batch_size();
  options.learning_rate = proto.learning_rate();
  if (proto.has_sgd()) {
    options.momentum = proto.sgd().momentum();
    options.weight_decay = proto.sgd().weight_decay();
  }
  if (proto.has_adam()) ApplyAdam(proto.adam(), &options);
  options.proximal_mu = proto.proximal_mu();
  TW_RETURN_IF_ERROR(CheckTraining(options));
  return options;
}

absl::StatusOr<UpdateState> FromProto(v1::UpdateState state) {
  switch (state) {
    case v1::UPDATE_STATE_UNKNOWN:
      return UpdateState::kUnknown;
    case v1::UPDATE_STATE_PARTIAL:
      return UpdateState::kPartial;
    case v1::UPDATE_STATE_RECEIVED:
      return UpdateState::kReceived;
    case v1::UPDATE_STATE_FOLDED:
      return UpdateState::kFolded;
    case v1::UPDATE_STATE_DISCARDED:
      return UpdateState::kDiscarded;
    case v1::UPDATE_STATE_FAILED:
      return UpdateState::kFailed;
    default:
      return absl::UnimplementedError(
          absl::StrCat("the server gave update state ", state, ", which this client does not know; update it"));
  }
}

absl::StatusOr<UpdateStatus> FromProto(const v1::UploadResponse& proto, uint64_t size) {
  TW_ASSIGN_OR_RETURN(const UpdateState state, FromProto(proto.state()));
  return UpdateStatus{state, size, proto.reason()};
}

absl::StatusOr<UpdateStatus> FromProto(const v1::UploadStatusResponse& proto) {
  TW_ASSIGN_OR_RETURN(const UpdateState state, FromProto(proto.state()));
  return UpdateStatus{state, proto.received_bytes(), proto.reason()};
}

}  // namespace thinwire
