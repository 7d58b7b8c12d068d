// How RunDriver carries out what the coordinator asks for.
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "server/round/names.h"
#include "server/service/downlink_variant.h"
#include "server/service/model_difference.h"
#include "server/service/run_driver.h"
#include "server/service/update_states.h"

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

// What the state is called in messages to clients.
std::string UpperCase(RunState state) {
  std::string name(Name(state));
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

// The disk or the state directory is at fault, not the update or the round: what was acknowledged is not given up for
// that. A restart does the work again from the files.
bool IsStorageFault(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsPermissionDenied(status) || absl::IsInternal(status);
}

// Why an update that could not be folded loses its place, by the codes of FoldUpdate; nothing if that is the server's
// trouble, its disk's or its memory's.
std::optional<std::string> FaultOfUpdate(const absl::Status& status) {
  if (absl::IsInvalidArgument(status) || absl::IsDataLoss(status) || absl::IsUnimplemented(status)) {
    return absl::StrCat("bad update: ", status.message());
  }
  if (absl::IsNotFound(status)) return absl::StrCat("lost update: ", status.message());  // its file: no restart helps
  // The round keeps the number of places that it was opened with, though the configuration may have grown since.
  if (absl::IsResourceExhausted(status)) return absl::StrCat("no place: ", status.message());
  return std::nullopt;
}

}  // namespace

void RunDriver::CarryOut(const OpenRound& effect) {
  absl::StatusOr<std::shared_ptr<RoundWork>> work =
      RoundWork::Open(*record_.open_round(), parts_.models, parts_.config);
  if (!work.ok()) return Break(work.status());
  work_ = *std::move(work);
  spdlog::info("round opened round={} base_version={} updates_wanted={} deadline_seconds={:.0f}", effect.round,
               effect.base_version, parts_.config.round.clients,
               absl::ToDoubleSeconds(coordinator_.TimeLeft(parts_.clock->Now())));
}

absl::StatusOr<RunDriver::Delivery> RunDriver::DeliveryOf(const Assign& effect) const {
  const uint64_t seed = parts_.config.proto.run().seed();
  if (effect.kind == WorkKind::kInitialize || !parts_.config.plan.subspace.has_value()) {
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

  TW_ASSIGN_OR_RETURN(const Delivery delivery, DeliveryOf(effect));
  const std::shared_ptr<const StoredPayload> model = parts_.models->FindVariant(effect.version, delivery.variant);
  if (model == nullptr) return absl::NotFoundError(absl::StrCat("version ", effect.version, " is gone"));
  *assignment.mutable_model() = ToProto(model->ref());
  if (const auto frozen = parts_.models->Frozen()) *assignment.mutable_frozen() = ToProto(frozen->ref());
  const std::optional<ClientInfo> client = parts_.clients->Find(effect.client);
  const bool knows_model = client.has_value() && (client->told_model || client->model != nullptr);
  if (!knows_model) *assignment.mutable_spec() = ToProto(*parts_.models->model());
  if (delivery.basis.has_value()) *assignment.mutable_subspace() = MakeSubspaceWork(effect, *delivery.basis);
  return assignment;
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

void RunDriver::CarryOut(const Fold& effect) {
  const absl::StatusOr<std::optional<UpdateRow>> row = parts_.journal->FindAssignment(effect.assignment);
  if (!row.ok()) return Break(row.status());
  if (!row->has_value()) return Break(absl::InternalError("no journal row of assignment " + effect.assignment));
  parts_.workers->Run([this, work = work_, update = **row] {
    const Monotonic start = parts_.clock->Now();
    const absl::StatusOr<FoldReport> report = work->Fold(update, parts_.spool->PathOf(update.spool_file));
    parts_.metrics->ObserveFold(parts_.clock->Now() - start);
    const std::string& id = update.assignment.id;
    if (!report.ok()) {
      const std::optional<std::string> fault = FaultOfUpdate(report.status());
      return fault.has_value() ? Post(AssignmentFailed{id, *fault}) : BreakLater(report.status());
    }
    parts_.metrics->SetBitsPerParameter(Direction::kUp, BitsPerParameter(update.payload));
    spdlog::debug("folded assignment={} examples={} norm={:.6g} clipped={}", id, update.examples, report->norm,
                  report->clipped);
    Post(UpdateFolded{id});
  });
}

double RunDriver::BitsPerParameter(const PayloadRef& payload) const {
  const std::shared_ptr<const ModelSpec> spec = parts_.models->model();
  return spec == nullptr ? 0 : static_cast<double>(payload.bits()) / static_cast<double>(spec->total_count());
}

void RunDriver::CarryOut(const PublishInitial& effect) {
  const absl::StatusOr<std::optional<UpdateRow>> row = parts_.journal->FindAssignment(effect.assignment);
  if (!row.ok()) return Break(row.status());
  const std::shared_ptr<const ModelSpec> spec = record_.initial_model();
  if (!row->has_value() || spec == nullptr) {
    return Post(AssignmentFailed{effect.assignment, "bad update: the journal does not know its model"});
  }
  parts_.workers->Run([this, spec, update = **row] {
    const std::string& id = update.assignment.id;
    const Monotonic start = parts_.clock->Now();
    const absl::StatusOr<VersionRow> version =
        parts_.models->ImportPayload(parts_.spool->PathOf(update.spool_file), update.payload, *spec, id);
    parts_.metrics->ObservePublish(parts_.clock->Now() - start);
    if (IsStorageFault(version.status())) return BreakLater(version.status());
    if (!version.ok()) return Post(AssignmentFailed{id, absl::StrCat("bad update: ", version.status().message())});
    mailbox_.Run([this, version = *version, id] { Published(version, {id}); });
  });
}

void RunDriver::CarryOut(const Settle& effect) {
  if (coordinator_.FindAssignment(effect.assignment) != nullptr) parts_.metrics->CountUpdate(effect.state);
  spdlog::info("settled assignment={} state={} reason=\"{}\"", effect.assignment, std::string(Name(effect.state)),
               effect.reason);
  AssignmentRecord settled;
  settled.state = effect.state;
  settled.reason = effect.reason;
  parts_.uploads->End(effect.assignment, ReceiptOf(settled, parts_.config.late));
  // Left alone if it has become durable meanwhile: UpdateReceived is on its way and decides.
  const absl::StatusOr<std::optional<UpdateRow>> row = parts_.journal->FindAssignment(effect.assignment);
  if (row.ok() && row->has_value() && (**row).assignment.state == AssignmentState::kReceived) return;
  const absl::Status status = parts_.spool->Discard(effect.assignment);
  if (!status.ok()) spdlog::warn("spool file stays assignment={} error=\"{}\"", effect.assignment, status.ToString());
}

void RunDriver::CarryOut(const CloseRound& effect) {
  absl::StatusOr<RoundRow> row = record_.ClosingRow(effect, coordinator_.Status(parts_.clock->Now()));
  if (!row.ok()) return Break(row.status());
  PublishVersion request;
  request.base_version = effect.base_version;
  request.new_version = effect.new_version;
  request.strategy = parts_.config.strategy;
  request.round = *std::move(row);
  request.folded = effect.folded;
  request.pinned = coordinator_.PinnedVersions();
  if (work_ == nullptr) return Post(PublishFailed{"the sum of the round is gone"});
  parts_.workers->Run([this, work = std::move(work_), request = std::move(request)]() mutable {
    const Monotonic start = parts_.clock->Now();
    request.aggregate = &work->aggregate();
    const absl::StatusOr<VersionRow> version = parts_.models->Publish(request);
    work.reset();  // before the next round's sum takes its place
    parts_.metrics->ObservePublish(parts_.clock->Now() - start);
    if (IsStorageFault(version.status())) return BreakLater(version.status());
    if (!version.ok()) return Post(PublishFailed{std::string(version.status().message())});
    mailbox_.Run([this, version = *version, folded = std::move(request.folded)] { Published(version, folded); });
  });
  work_.reset();
}

void RunDriver::Published(const VersionRow& version, const std::vector<std::string>& consumed) {
  if (broken_) return;
  spdlog::info("published version={} round={} updates={} payload_bytes={} fp32_payload_bytes={}", version.version,
               version.round, consumed.size(), version.downlink.total_size, version.fp32_downlink_size);
  parts_.metrics->SetBitsPerParameter(Direction::kDown, BitsPerParameter(version.downlink));
  if (version.round > 0) {
    record_.RoundPublished();
    parts_.metrics->CountRound(RoundState::kPublished);
  }
  for (size_t i = 0; i < consumed.size(); ++i) parts_.metrics->CountUpdate(AssignmentState::kFolded);
  Apply(VersionPublished{version.version});
  // Removing files takes milliseconds, and nobody waits for it: a restart would remove them too.
  parts_.io->Run([spool = parts_.spool, consumed] {
    for (const std::string& assignment : consumed) {
      const absl::Status status = spool->Discard(assignment);
      if (!status.ok()) spdlog::warn("spool file stays assignment={} error=\"{}\"", assignment, status.ToString());
    }
  });
  if (version.version == 0) EvictStrangers();
}

void RunDriver::EvictStrangers() {
  const std::shared_ptr<const ModelSpec> spec = parts_.models->model();
  for (const ClientInfo& client : parts_.clients->Joined()) {
    if (client.model != nullptr && *client.model != *spec) {
      const absl::Status status = absl::FailedPreconditionError(
          absl::StrCat("the run's model differs from this client's, ", FirstDifference(*spec, *client.model),
                       ": start it with the "
                       "run's model"));
      CountRefusal("wrong model", client.id, status);
      Forget(client.id, "wrong model", status);
    } else if (client.model == nullptr && held_.Holds(client.id)) {
      Apply(ClientWaiting{client.id, client.role, client.examples});
    }
  }
}

void RunDriver::CarryOut(const FailRound& effect) {
  spdlog::warn("round failed round={} reason=\"{}\"", effect.round, effect.reason);
  parts_.metrics->CountRound(RoundState::kFailed);
  work_.reset();
}

void RunDriver::CarryOut(const FinishRun& effect) {
  spdlog::info("run ended state={} reason=\"{}\"", std::string(Name(effect.state)), effect.reason);
  for (const std::string& client : held_.Clients()) CarryOut(Dismiss{client});
  Export();
  ReleaseVersions();
}

void RunDriver::Export() {
  if (!parts_.models->Latest().has_value()) return Exported(std::string());
  parts_.workers->Run([this] {
    absl::StatusOr<std::string> path = parts_.models->Export();
    mailbox_.Run([this, path = std::move(path)] { Exported(path); });
  });
}

void RunDriver::Exported(const absl::StatusOr<std::string>& path) {
  if (broken_) return;
  if (!path.ok()) spdlog::error("model not exported error=\"{}\"", path.status().ToString());
  if (path.ok() && !path->empty()) {
    spdlog::info("model exported path={}", *path);
    const absl::Status status = record_.SetExported(*path);
    if (!status.ok()) return Break(status);
  }
  exported_ = true;
  AfterStep();
}

void RunDriver::CarryOut(const Dismiss& effect) {
  v1::AwaitAssignmentResponse response;
  response.mutable_run_ended()->set_state(UpperCase(record_.run().state));
  response.mutable_run_ended()->set_reason(record_.run().reason);
  if (held_.Answer(effect.client, std::move(response))) told_.insert(effect.client);
}

void RunDriver::ReleaseVersions() {
  parts_.workers->Run([this, pinned = coordinator_.PinnedVersions()] {
    const absl::Status status = parts_.models->Retain(pinned);
    if (!status.ok()) spdlog::warn("old versions stay error=\"{}\"", status.ToString());
  });
}

}  // namespace thinwire
