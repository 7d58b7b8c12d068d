#include "server/service/round_summary.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "server/service/traffic_meter.h"

namespace thinwire {

v1::RunState ToProto(RunState state) {
  switch (state) {
    case RunState::kInitializing:
      return v1::RUN_STATE_INITIALIZING;
    case RunState::kRunning:
      return v1::RUN_STATE_RUNNING;
    case RunState::kEvaluating:
      return v1::RUN_STATE_EVALUATING;
    case RunState::kCompleted:
      return v1::RUN_STATE_COMPLETED;
    case RunState::kStopped:
      return v1::RUN_STATE_STOPPED;
    case RunState::kFailed:
      return v1::RUN_STATE_FAILED;
  }
  return v1::RUN_STATE_UNSPECIFIED;
}

v1::RoundState ToProto(RoundState state) {
  switch (state) {
    case RoundState::kIdle:
      return v1::ROUND_STATE_UNSPECIFIED;
    case RoundState::kInviting:
      return v1::ROUND_STATE_INVITING;
    case RoundState::kTraining:
      return v1::ROUND_STATE_TRAINING;
    case RoundState::kClosing:
      return v1::ROUND_STATE_CLOSING;
    case RoundState::kPublished:
      return v1::ROUND_STATE_PUBLISHED;
    case RoundState::kFailed:
      return v1::ROUND_STATE_FAILED;
  }
  return v1::ROUND_STATE_UNSPECIFIED;
}

v1::RoundCounters ToProto(const RoundCounters& counters) {
  v1::RoundCounters proto;
  proto.set_invited(counters.invited);
  proto.set_training(counters.training);
  proto.set_folding(counters.folding);
  proto.set_folded(counters.folded);
  proto.set_failed(counters.failed);
  proto.set_dropped(counters.dropped);
  proto.set_discarded(counters.discarded);
  return proto;
}

namespace {

absl::Status AddEvaluation(const RoundRow& row, Journal* journal, v1::RoundSummary* summary) {
  if (!row.version.has_value()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const std::optional<EvaluationRow> evaluation, journal->FindEvaluation(*row.version));
  if (!evaluation.has_value()) return absl::OkStatus();
  summary->set_accuracy(evaluation->accuracy);
  summary->set_eval_loss(evaluation->loss);
  TW_ASSIGN_OR_RETURN(const std::optional<EvaluationRow> before, journal->FindEvaluation(row.base_version));
  if (!before.has_value() || summary->uploads().payload_bits() == 0) return absl::OkStatus();
  const double megabits = static_cast<double>(summary->uploads().payload_bits()) / 1e6;
  summary->mutable_uploads()->set_accuracy_per_megabit((evaluation->accuracy - before->accuracy) / megabits);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::RoundSummary> MakeSummary(const RoundRow& row, Journal* journal) {
  v1::RoundSummary summary;
  summary.set_round(row.round);
  summary.set_state(ToProto(row.state));
  *summary.mutable_counters() = ToProto(row.counters);
  if (row.version.has_value()) summary.set_version(*row.version);
  *summary.mutable_started_at() = ToTimestamp(row.started_at);
  *summary.mutable_duration() = ToProto(row.duration);
  summary.set_train_loss(row.train_loss);
  TW_ASSIGN_OR_RETURN(const TrafficTotals traffic, ParseTraffic(row.traffic));
  *summary.mutable_trainer_traffic() = traffic.ToProto(Role::kTrainer);
  *summary.mutable_evaluator_traffic() = traffic.ToProto(Role::kEvaluator);
  summary.set_reason(row.reason);
  if (!row.uploads.empty() && !summary.mutable_uploads()->ParseFromString(row.uploads)) {
    return absl::DataLossError(absl::StrCat("the journal's row of round ", row.round, " is damaged: uploads"));
  }
  TW_RETURN_IF_ERROR(AddEvaluation(row, journal, &summary));
  return summary;
}

}  // namespace thinwire
