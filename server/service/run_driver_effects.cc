// How RunDriver carries out what the coordinator asks for.
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "server/round/names.h"
#include "server/service/model_difference.h"
#include "server/service/run_driver.h"
#include "server/service/storage_fault.h"
#include "server/service/update_states.h"

namespace thinwire {
namespace {

// What the state is called in messages to clients.
std::string UpperCase(RunState state) {
  std::string name(Name(state));
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
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

void RunDriver::CarryOut(const Fold& effect) {
  const absl::StatusOr<std::optional<UpdateRow>> row = parts_.journal->FindAssignment(effect.assignment);
  if (!row.ok()) return Break(row.status());
  if (!row->has_value()) return Break(absl::InternalError("no journal row of assignment " + effect.assignment));
  parts_.workers->Run([this, work = work_, update = **row] {
    const Monotonic start = parts_.clock->Now();
    const absl::StatusOr<FoldReport> report = work->Fold(update, parts_.spool->PathOf(update.spool_file));
    const absl::Duration time = parts_.clock->Now() - start;
    parts_.metrics->ObserveFold(time);
    work->AddFoldTime(time);
    const std::string& id = update.assignment.id;
    if (!report.ok()) {
      const std::optional<std::string> fault = FaultOfUpdate(report.status());
      return fault.has_value() ? Post(AssignmentFailed{id, *fault}) : BreakLater(report.status());
    }
    GaugeBits(Direction::kUp, update.payload);
    spdlog::debug("folded assignment={} examples={} norm={:.6g} clipped={}", id, update.examples, report->norm,
                  report->clipped);
    Post(UpdateFolded{id});
  });
}

void RunDriver::GaugeBits(Direction direction, const PayloadRef& payload) {
  const std::shared_ptr<const ModelSpec> spec = parts_.models->model();
  parts_.metrics->SetBitsPerParameter(direction, payload.bits_per(spec == nullptr ? 0 : spec->total_count()));
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
  absl::StatusOr<RoundRow> row = record_.ClosingRow(effect, coordinator_.Status(parts_.clock->Now()),
                                                    work_ == nullptr ? absl::ZeroDuration() : work_->fold_time());
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
    mailbox_.Run([this, version = *version, folded = std::move(request.folded),
                  uploads = std::move(request.round.uploads)] { Published(version, folded, uploads); });
  });
  work_.reset();
}

void RunDriver::CountUploads(const std::string& uploads) {
  v1::UploadSummary summary;
  if (!summary.ParseFromString(uploads)) return;  // made by this process
  UploadMetrics metrics;
  metrics.payload_bits = summary.payload_bits();
  metrics.granted_bits = summary.granted_bits();
  metrics.encode_time = FromProto(summary.encode_time()).value_or(absl::ZeroDuration());
  metrics.decode_time = FromProto(summary.decode_time()).value_or(absl::ZeroDuration());
  if (summary.has_distortion()) metrics.distortion = summary.distortion();
  if (summary.has_weighted_distortion()) metrics.weighted_distortion = summary.weighted_distortion();
  if (summary.has_unsent_norm()) metrics.unsent_norm = summary.unsent_norm();
  parts_.metrics->AddUploads(metrics);
}

void RunDriver::Published(const VersionRow& version, const std::vector<std::string>& consumed,
                          const std::string& uploads) {
  if (broken_) return;
  CountUploads(uploads);
  spdlog::info("published version={} round={} updates={} payload_bytes={} fp32_payload_bytes={}", version.version,
               version.round, consumed.size(), version.downlink.total_size, version.fp32_downlink_size);
  GaugeBits(Direction::kDown, version.downlink);
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
