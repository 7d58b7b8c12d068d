// How RunDriver gives clients their work.
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/sketch/model_changes.h"
#include "common/sketch/update_specs.h"
#include "common/wire/convert.h"
#include "server/round/names.h"
#include "server/service/downlink_variant.h"
#include "server/service/run_driver.h"
#include "server/service/storage_fault.h"

namespace thinwire {
namespace {

v1::AssignmentKind ToProto(WorkKind kind) {
  switch (kind) {
    case WorkKind::kInitialize:
      return v1::ASSIGNMENT_KIND_INITIALIZE;
    case WorkKind::kTrain:
      return v1::ASSIGNMENT_KIND_TRAIN;
    case WorkKind::kEvaluate:
      return v1::ASSIGNMENT_KIND_EVALUATE;
  }
  return v1::ASSIGNMENT_KIND_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<RunDriver::Delivery> RunDriver::DeliveryOf(const Assign& effect) const {
  if (effect.kind == WorkKind::kInitialize) return Delivery{};
  if (SendsChanges(parts_.config.plan)) {
    return Delivery{parts_.models->ChangesSince(effect.version, held_.ModelOf(effect.client)), {}};
  }
  if (!parts_.config.plan.subspace.has_value()) {
    const uint64_t seed = parts_.config.proto.run().seed();
    return Delivery{DownlinkVariant(seed, effect.kind, effect.round, effect.client, parts_.models->variants()), {}};
  }
  TW_ASSIGN_OR_RETURN(const BasisDelivery basis,
                      parts_.models->DeliveryTo(effect.version, held_.BasisOf(effect.client)));
  return Delivery{basis.missed, basis};
}

void RunDriver::CarryOut(const Assign& effect) {
  const absl::StatusOr<Delivery> delivery = DeliveryOf(effect);
  const uint32_t variant = delivery.ok() ? delivery->variant : 0;  // Give says what is wrong
  if (variant == 0 || parts_.models->FindVariant(effect.version, variant) != nullptr) return Give(effect);
  // The call is held until a worker has encoded what this client is to have.
  parts_.workers->Run([this, effect, variant] {
    const absl::Status made = parts_.models->Variant(effect.version, variant).status();
    mailbox_.Run([this, effect, made] { VariantMade(effect, made); });
  });
}

void RunDriver::VariantMade(Assign effect, const absl::Status& made) {
  if (broken_ || !held_.Holds(effect.client)) return;  // it will ask again, or has been answered
  const AssignmentRecord* const assignment = coordinator_.FindAssignment(effect.assignment);
  const bool wanted = assignment != nullptr && assignment->state == AssignmentState::kTraining;
  if (wanted && made.ok()) {
    effect.time_left = coordinator_.TimeLeft(parts_.clock->Now());
    return Give(effect);
  }
  std::string waiting_for = coordinator_.Status(parts_.clock->Now()).waiting_for;
  if (wanted && IsStorageFault(made)) {
    // The client keeps its place and asks again: there may be room by then.
    CountRefusal("no payload", effect.client, made);
    waiting_for = absl::StrCat("a server that can store the model: ", made.message());
  } else if (wanted) {
    Apply(AssignmentFailed{effect.assignment, absl::StrCat("no model: ", made.message())});
  }
  // Else the round was over before the client could have its work.
  SendBack(effect.client, waiting_for);
  Apply(ClientStoppedWaiting{effect.client});
}

void RunDriver::Give(const Assign& effect) {
  absl::StatusOr<v1::Assignment> assignment = MakeAssignment(effect);
  if (!assignment.ok()) {  // the version to evaluate is gone
    Post(AssignmentFailed{effect.assignment, absl::StrCat("no model: ", assignment.status().message())});
    return SendBack(effect.client, coordinator_.Status(parts_.clock->Now()).waiting_for);
  }
  v1::AwaitAssignmentResponse response;
  *response.mutable_assignment() = *std::move(assignment);
  spdlog::info("assigned assignment={} client={} kind={} version={}{}", effect.assignment, effect.client,
               std::string(Name(effect.kind)), effect.version, effect.repeated ? " again=true" : "");
  held_.Answer(effect.client, std::move(response));
}

absl::StatusOr<v1::Assignment> RunDriver::MakeAssignment(const Assign& effect) const {
  const v1::FederationConfig& config = parts_.config.proto;
  v1::Assignment assignment;
  assignment.set_assignment_id(effect.assignment);
  assignment.set_kind(ToProto(effect.kind));
  assignment.set_round(effect.round);
  assignment.set_version(effect.version);
  assignment.set_seed(effect.kind == WorkKind::kInitialize
                          ? config.model().from_client_seed()
                          : DeriveKey({config.run().seed(), effect.round, KeyWord(effect.client)}));
  if (effect.time_left != absl::InfiniteDuration()) *assignment.mutable_time_left() = ToProto(effect.time_left);
  *assignment.mutable_training() = config.training();
  if (effect.kind == WorkKind::kInitialize) return assignment;

  if (effect.kind == WorkKind::kTrain && parts_.config.plan.update.has_value()) {
    TW_ASSIGN_OR_RETURN(const std::optional<UpdateRow> row, parts_.journal->FindAssignment(effect.assignment));
    if (row.has_value()) assignment.set_upload_bits(row->assignment.upload_bits);
  }
  TW_ASSIGN_OR_RETURN(const Delivery delivery, DeliveryOf(effect));
  const std::shared_ptr<const StoredPayload> model = parts_.models->FindVariant(effect.version, delivery.variant);
  if (model == nullptr) return absl::NotFoundError(absl::StrCat("version ", effect.version, " is gone"));
  *assignment.mutable_model() = ToProto(model->ref());
  if (SendsChanges(parts_.config.plan)) TW_RETURN_IF_ERROR(NameChanges(*model, &assignment));
  if (const auto frozen = parts_.models->Frozen()) *assignment.mutable_frozen() = ToProto(frozen->ref());
  const std::optional<ClientInfo> client = parts_.clients->Find(effect.client);
  const bool knows_model = client.has_value() && (client->told_model || client->model != nullptr);
  if (!knows_model) *assignment.mutable_spec() = ToProto(*parts_.models->model());
  if (delivery.basis.has_value()) *assignment.mutable_subspace() = MakeSubspaceWork(effect, *delivery.basis);
  return assignment;
}

absl::Status RunDriver::NameChanges(const StoredPayload& sent, v1::Assignment* assignment) const {
  TW_ASSIGN_OR_RETURN(const std::shared_ptr<const StoredPayload> whole, parts_.models->Downlink(assignment->version()));
  if (sent.ref() == whole->ref()) return absl::OkStatus();
  *assignment->mutable_model() = ToProto(whole->ref());
  *assignment->mutable_changes()->mutable_payload() = ToProto(sent.ref());
  assignment->mutable_changes()->set_entries(EntriesIn(sent.reader().manifest()));
  return absl::OkStatus();
}

v1::SubspaceWork RunDriver::MakeSubspaceWork(const Assign& effect, const BasisDelivery& basis) const {
  v1::SubspaceWork work;
  work.mutable_basis()->set_epoch(basis.epoch);
  work.mutable_basis()->set_sha256(std::string(basis.sha256.AsBytes()));
  work.set_first_epoch(basis.epoch - basis.missed);
  if (basis.snapshot != nullptr) *work.mutable_snapshot() = ToProto(basis.snapshot->ref());
  if (effect.kind == WorkKind::kTrain) {
    work.set_vector(
        VectorOfClient(*parts_.config.plan.subspace, parts_.config.proto.run().seed(), effect.round, effect.client));
  }
  const std::shared_ptr<const StoredPayload> base = parts_.models->FindVariant(effect.version, 0);
  if (base != nullptr) work.set_base_id(std::string(base->ref().id.AsBytes()));
  return work;
}

}  // namespace thinwire
