#include "server/service/run_record.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/status_macros.h"
#include "common/update/upload_budget.h"
#include "common/wire/convert.h"
#include "server/aggregate/fixed_point.h"
#include "server/service/upload_summary.h"
#include "thinwire/v1/model.pb.h"

namespace thinwire {
namespace {

std::shared_ptr<const ModelSpec> ParseModel(const std::string& bytes) {
  v1::ModelSpec proto;
  if (bytes.empty() || !proto.ParseFromString(bytes)) return nullptr;
  absl::StatusOr<ModelSpec> spec = FromProto(proto);
  return spec.ok() ? std::make_shared<const ModelSpec>(*std::move(spec)) : nullptr;
}

AssignmentRecord RecordOf(const Assign& assign) {
  AssignmentRecord record;
  record.id = assign.assignment;
  record.client = assign.client;
  record.kind = assign.kind;
  record.round = assign.kind == WorkKind::kTrain ? assign.round : 0;
  record.version = assign.version;
  return record;
}

bool IsOpen(RoundState state) {
  return state == RoundState::kInviting || state == RoundState::kTraining || state == RoundState::kClosing;
}

}  // namespace

RunRecord::RunRecord(const RunParts& parts, const RestoredState& restored)
    : parts_(parts),
      run_(restored.run),
      row_(restored.open_round),
      opened_at_(parts.clock->Now()),
      round_start_(restored.traffic.Since(restored.open_traffic)),
      initial_model_(ParseModel(restored.run.model_spec)) {
  if (row_.has_value()) opened_at_ -= row_->duration;
}

absl::Status RunRecord::Write(const std::vector<Effect>& effects, const CoordinatorStatus& status,
                              absl::Duration time_left) {
  bool assignments_written = false;
  for (const Effect& effect : effects) {
    if (const auto* open = std::get_if<OpenRound>(&effect)) {
      TW_RETURN_IF_ERROR(Begin(*open, status, time_left));
    } else if (std::holds_alternative<Assign>(effect) && !assignments_written) {
      TW_RETURN_IF_ERROR(PutAssignments(effects));
      assignments_written = true;
    } else if (const auto* settle = std::get_if<Settle>(&effect)) {
      TW_RETURN_IF_ERROR(Put(*settle));
    } else if (const auto* fail = std::get_if<FailRound>(&effect)) {
      TW_RETURN_IF_ERROR(Fail(*fail, status));
    } else if (const auto* finish = std::get_if<FinishRun>(&effect)) {
      TW_RETURN_IF_ERROR(Finish(*finish));
    }
  }
  if (row_.has_value() && row_->state != status.round_state && IsOpen(status.round_state)) {
    return Checkpoint(status, time_left);
  }
  return absl::OkStatus();
}

absl::Status RunRecord::Begin(const OpenRound& open, const CoordinatorStatus& status, absl::Duration time_left) {
  // A resumed round keeps its rules.
  if (row_.has_value() && row_->round == open.round) return Checkpoint(status, time_left);
  const v1::AggregationConfig& aggregation = parts_.config.proto.aggregation();
  TW_ASSIGN_OR_RETURN(const std::vector<double> bounds,
                      parts_.models->ValueBoundsOf(open.base_version, aggregation.max_update_norm()));
  TW_ASSIGN_OR_RETURN(
      const FixedPoint fixed_point,
      ChooseFixedPoint(*parts_.models->sum_spec(), bounds, aggregation.max_examples(), parts_.config.round.clients));
  RoundRow row;
  row.round = open.round;
  row.base_version = open.base_version;
  row.state = status.round_state;
  row.fixed_point = EncodeFixedPoint(fixed_point);
  row.time_left = time_left;
  row.started_at = parts_.clock->WallTime();
  row.counters = status.counters;
  opened_at_ = parts_.clock->Now();
  TW_RETURN_IF_ERROR(parts_.journal->PutRound(row));
  row_ = std::move(row);
  return absl::OkStatus();
}

absl::Status RunRecord::PutAssignments(const std::vector<Effect>& effects) {
  std::vector<AssignmentRecord> records;
  for (const Effect& effect : effects) {
    const auto* assign = std::get_if<Assign>(&effect);
    if (assign == nullptr || assign->repeated) continue;
    if (assign->kind == WorkKind::kInitialize) TW_RETURN_IF_ERROR(SaveInitialModel(*assign));
    records.push_back(RecordOf(*assign));
    records.back().upload_bits = GrantOf(*assign);
  }
  return records.empty() ? absl::OkStatus() : parts_.journal->PutAssignments(records);
}

uint64_t RunRecord::GrantOf(const Assign& assign) const {
  const ExchangePlan& plan = parts_.config.plan;
  if (assign.kind != WorkKind::kTrain || !plan.update.has_value()) return 0;
  const std::optional<ClientInfo> client = parts_.clients->Find(assign.client);
  const uint64_t rate = client.has_value() ? client->link.bits_per_second : 0;
  const uint64_t granted = GrantedBits(plan, CodedModel(plan, *parts_.models->model()), rate);
  parts_.clients->UpdateLink(assign.client, [granted](ClientLink* link) { link->granted_bits = granted; });
  return granted;
}

absl::Status RunRecord::SaveInitialModel(const Assign& assign) {
  const std::optional<ClientInfo> client = parts_.clients->Find(assign.client);
  if (!client.has_value() || client->model == nullptr) return absl::OkStatus();
  initial_model_ = client->model;
  run_.model_spec = ToProto(*initial_model_).SerializeAsString();
  return parts_.journal->SaveRun(run_);
}

absl::Status RunRecord::Put(const Settle& settle) {
  if (settle.received) return parts_.journal->SetAssignmentState(settle.assignment, settle.state, settle.reason);
  // One that has become durable meanwhile stays as it is: UpdateReceived is on its way and decides.
  return parts_.journal->SettleUnreceived(settle.assignment, settle.state, settle.reason).status();
}

absl::Status RunRecord::Fail(const FailRound& fail, const CoordinatorStatus& status) {
  RoundRow row;
  if (row_.has_value() && row_->round == fail.round) {
    row = *row_;
    row.duration = parts_.clock->Now() - opened_at_;
  } else {  // too few clients: it never opened
    row.round = fail.round;
    row.base_version = status.version.value_or(0);
    row.started_at = parts_.clock->WallTime();
  }
  row.state = RoundState::kFailed;
  row.reason = fail.reason;
  row.time_left = absl::ZeroDuration();
  if (status.round == fail.round) row.counters = status.counters;
  const TrafficTotals now = parts_.traffic->Totals();
  row.traffic = EncodeTraffic(now.Since(round_start_));
  round_start_ = now;
  row_.reset();
  return parts_.journal->PutRound(row);
}

absl::Status RunRecord::Finish(const FinishRun& finish) {
  run_.state = finish.state;
  run_.reason = finish.reason;
  TW_RETURN_IF_ERROR(parts_.journal->SaveRun(run_));
  // The last evaluation came after the last round: its bytes are that round's.
  TW_ASSIGN_OR_RETURN(std::optional<RoundRow> last, parts_.journal->LastRound());
  if (!last.has_value()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(TrafficTotals traffic, ParseTraffic(last->traffic));
  const TrafficTotals now = parts_.traffic->Totals();
  traffic += now.Since(round_start_);
  round_start_ = now;
  last->traffic = EncodeTraffic(traffic);
  return parts_.journal->PutRound(*last);
}

absl::Status RunRecord::Checkpoint(const CoordinatorStatus& status, absl::Duration time_left) {
  const std::optional<RoundRow> row = CurrentRow(status, time_left);
  if (!row.has_value()) return absl::OkStatus();
  row_ = row;
  return parts_.journal->PutRound(*row_);
}

absl::Status RunRecord::SetExported(const std::string& path) {
  run_.exported_path = path;
  return parts_.journal->SaveRun(run_);
}

absl::StatusOr<RoundRow> RunRecord::ClosingRow(const CloseRound& close, const CoordinatorStatus& status,
                                               absl::Duration decode_time) {
  TW_ASSIGN_OR_RETURN(std::vector<UpdateRow> updates, parts_.journal->AssignmentsOf(close.round));
  const std::set<std::string> folded(close.folded.begin(), close.folded.end());
  updates.erase(std::remove_if(updates.begin(), updates.end(),
                               [&folded](const UpdateRow& update) { return folded.count(update.assignment.id) == 0; }),
                updates.end());
  double weighted_loss = 0;
  double weight = 0;
  for (const UpdateRow& update : updates) {
    weighted_loss += update.train_loss * static_cast<double>(update.examples);
    weight += static_cast<double>(update.examples);
  }
  RoundRow row = row_.value_or(RoundRow());
  row.state = RoundState::kPublished;
  row.duration = parts_.clock->Now() - opened_at_;
  row.counters = status.counters;
  row.train_loss = weight > 0 ? weighted_loss / weight : 0;
  closing_traffic_ = parts_.traffic->Totals();
  row.traffic = EncodeTraffic(closing_traffic_.Since(round_start_));
  row.uploads =
      SummarizeUploads(updates, parts_.models->model()->count(TensorRole::kTrainable), decode_time).SerializeAsString();
  return row;
}

std::optional<RoundRow> RunRecord::CurrentRow(const CoordinatorStatus& status, absl::Duration time_left) const {
  if (!row_.has_value() || status.round != row_->round || !IsOpen(status.round_state)) return std::nullopt;
  RoundRow row = *row_;
  row.state = status.round_state;
  row.time_left = time_left;
  row.duration = parts_.clock->Now() - opened_at_;
  row.counters = status.counters;
  row.traffic = EncodeTraffic(parts_.traffic->Totals().Since(round_start_));
  return row;
}

}  // namespace thinwire
