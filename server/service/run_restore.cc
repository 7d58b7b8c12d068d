#include "server/service/run_restore.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/safetensors.h"
#include "common/update/upload_budget.h"
#include "server/service/model_difference.h"

namespace thinwire {
namespace {

constexpr uint32_t kAllRows = std::numeric_limits<uint32_t>::max();

const char* StrategyName(StrategyOptions::Kind kind) {
  switch (kind) {
    case StrategyOptions::Kind::kFedAvg:
      return "FedAvg";
    case StrategyOptions::Kind::kFedAvgM:
      return "FedAvgM";
    case StrategyOptions::Kind::kFedAdam:
      return "FedAdam";
  }
  return "unknown";
}

// The strategy belongs to it: its state on disk is of no use to another one. So does the aggregator: a round that is
// resumed must come out as it would have.
std::string PlanText(const ServerConfig& config) {
  const std::string text = absl::StrCat(config.plan.Name(), "; strategy ", StrategyName(config.strategy.kind));
  return config.aggregator.robust() ? absl::StrCat(text, "; ", AggregatorName(config.aggregator)) : text;
}

absl::Status Differs(const ServerConfig& config, const std::string& field, const std::string& stored,
                     const std::string& configured) {
  return absl::FailedPreconditionError(
      absl::StrCat(config.proto.storage().directory(), " holds a run whose ", field, " is '", stored,
                   "', but the configuration says '", configured,
                   "'; restore the configuration, or name another storage.directory for a new run"));
}

bool IsOpen(RoundState state) {
  return state == RoundState::kInviting || state == RoundState::kTraining || state == RoundState::kClosing;
}

// Rounds that failed, counted back from the newest closed one.
uint32_t FailedInARow(const std::vector<RoundRow>& rounds) {
  uint32_t failed = 0;
  for (auto row = rounds.rbegin(); row != rounds.rend(); ++row) {
    if (IsOpen(row->state)) continue;
    if (row->state != RoundState::kFailed) break;
    ++failed;
  }
  return failed;
}

absl::Status RestoreRounds(Journal* journal, RestoredState* state) {
  TW_ASSIGN_OR_RETURN(const std::vector<RoundRow> rounds, journal->Rounds(0, kAllRows));
  for (const RoundRow& row : rounds) {
    if (row.traffic.empty()) continue;
    TW_ASSIGN_OR_RETURN(const TrafficTotals traffic, ParseTraffic(row.traffic));
    state->traffic += traffic;
    if (IsOpen(row.state)) state->open_traffic = traffic;
  }
  state->coordinator.failed_rounds = FailedInARow(rounds);
  if (rounds.empty()) return absl::OkStatus();
  const RoundRow& last = rounds.back();
  for (const RoundRow& row : rounds) {
    if (row.state == RoundState::kFailed) state->coordinator.last_failure = row.reason;
  }
  state->coordinator.round = last.round;
  state->coordinator.round_state = last.state;
  state->coordinator.time_left = last.time_left;
  if (IsOpen(last.state)) state->open_round = last;
  return absl::OkStatus();
}

absl::Status RestoreAssignments(Journal* journal, RestoredState* state) {
  RestoredRun& run = state->coordinator;
  if (run.round > 0) {
    TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> rows, journal->AssignmentsOf(run.round));
    for (const UpdateRow& row : rows) run.assignments.push_back(row.assignment);
  }
  TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> open, journal->OpenAssignmentsOutsideRounds());
  for (const UpdateRow& row : open) run.assignments.push_back(row.assignment);
  TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> outside, journal->AssignmentsOf(0));
  for (const UpdateRow& row : outside) {
    if (row.assignment.kind == WorkKind::kInitialize) ++run.initializations;
    if (row.assignment.kind != WorkKind::kEvaluate) continue;
    run.evaluator_seen = true;
    // Ended tries too: their ids are not used again.
    TW_ASSIGN_OR_RETURN(const std::optional<EvaluationRow> evaluation, journal->FindEvaluation(row.assignment.version));
    if (!evaluation.has_value()) run.assignments.push_back(row.assignment);
  }
  return absl::OkStatus();
}

// A server that was killed has not said what travelled since the round's last checkpoint. The updates that had come
// whole did, at least.
absl::Status CountReceived(const ServerConfig& config, const ModelStore& models, Journal* journal,
                           RestoredState* state) {
  const std::shared_ptr<const ModelSpec> model = models.model();
  if (!state->open_round.has_value() || model == nullptr) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const uint64_t fp32,
                      MaxPayloadSize(*model, config.plan.uplink_representation, CodecSpec::Fp32()));
  TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> rows, journal->AssignmentsOf(state->open_round->round));
  ByteCounts received;
  for (const UpdateRow& row : rows) {
    if (row.payload.total_size == 0) continue;
    received.payload += row.payload.total_size;
    received.fp32_payload += fp32;
  }
  TrafficTotals missing;
  ByteCounts& up = missing.At(Role::kTrainer, Direction::kUp);
  const ByteCounts& known = state->open_traffic.At(Role::kTrainer, Direction::kUp);
  up.payload = received.payload - std::min(received.payload, known.payload);
  up.message = received.payload - std::min(received.payload, known.message);
  up.fp32_payload = received.fp32_payload - std::min(received.fp32_payload, known.fp32_payload);
  state->traffic += missing;
  state->open_traffic += missing;
  return absl::OkStatus();
}

absl::Status RestoreVersions(Journal* journal, RestoredState* state) {
  TW_ASSIGN_OR_RETURN(const std::vector<VersionRow> versions, journal->Versions());
  for (const VersionRow& version : versions) {
    if (!state->coordinator.version.has_value() || version.version > *state->coordinator.version) {
      state->coordinator.version = version.version;
    }
    TW_ASSIGN_OR_RETURN(const std::optional<EvaluationRow> evaluation, journal->FindEvaluation(version.version));
    if (!evaluation.has_value()) {
      state->coordinator.unevaluated.push_back(version.version);
    } else if (!state->evaluation.has_value() || state->evaluation->version < version.version) {
      state->evaluation = evaluation;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunRow> OpenRun(const ServerConfig& config, Clock* clock, Journal* journal) {
  TW_ASSIGN_OR_RETURN(std::optional<RunRow> stored, journal->LoadRun());
  const v1::RunConfig& run = config.proto.run();
  if (!stored.has_value()) {
    RunRow fresh;
    fresh.name = run.name();
    fresh.seed = run.seed();
    fresh.plan = PlanText(config);
    fresh.started_at = clock->WallTime();
    TW_RETURN_IF_ERROR(journal->SaveRun(fresh));
    return fresh;
  }
  if (stored->name != run.name()) return Differs(config, "run.name", stored->name, run.name());
  if (stored->seed != run.seed()) {
    return Differs(config, "run.seed", absl::StrCat(stored->seed), absl::StrCat(run.seed()));
  }
  if (stored->plan == PlanText(config)) return *stored;
  // Before there are weights nothing was made by the plan: it may be one that did not fit them, and is corrected.
  TW_ASSIGN_OR_RETURN(const std::optional<VersionRow> version, journal->LatestVersion());
  if (version.has_value()) return Differs(config, "plan", stored->plan, PlanText(config));
  stored->plan = PlanText(config);
  TW_RETURN_IF_ERROR(journal->SaveRun(*stored));
  return *stored;
}

absl::Status ImportInitialModel(const ServerConfig& config, ModelStore* models) {
  const std::string& path = config.proto.model().safetensors();
  if (path.empty()) return absl::OkStatus();
  if (!models->Latest().has_value()) {
    TW_ASSIGN_OR_RETURN(const SafetensorsReader initial, SafetensorsReader::Open(path));
    TW_RETURN_IF_ERROR(CheckUploadFits(config.plan, initial.spec()));
    if (config.plan.subspace.has_value()) {
      TW_RETURN_IF_ERROR(CheckSubspaceFits(*config.plan.subspace, initial.spec()));
    }
    return models->ImportSafetensors(path).status();
  }
  // The file is not needed any more; if it is still there, it must be of this run's model.
  if (!FileExists(path)) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(path));
  const std::string difference = FirstDifference(*models->model(), reader.spec());
  if (difference.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(config.proto.storage().directory(), " holds a run of another model than ", path, " (", difference,
                   "); restore model.safetensors, or name another storage.directory for a new run"));
}

absl::StatusOr<RestoredState> RestoreRun(const ServerConfig& config, const RunRow& run, const ModelStore& models,
                                         Journal* journal) {
  RestoredState state;
  state.run = run;
  state.coordinator.state = run.state;
  state.coordinator.reason = run.reason;
  TW_RETURN_IF_ERROR(RestoreRounds(journal, &state));
  TW_RETURN_IF_ERROR(CountReceived(config, models, journal, &state));
  TW_RETURN_IF_ERROR(RestoreAssignments(journal, &state));
  TW_RETURN_IF_ERROR(RestoreVersions(journal, &state));
  return state;
}

absl::StatusOr<SpoolContents> ContentsOfSpool(const RestoredState& restored, Journal* journal) {
  SpoolContents contents;
  for (const AssignmentRecord& assignment : restored.coordinator.assignments) {
    if (assignment.state == AssignmentState::kTraining && assignment.kind != WorkKind::kEvaluate) {
      contents.open_assignments.push_back(assignment.id);
    }
    if (assignment.state != AssignmentState::kReceived) continue;
    TW_ASSIGN_OR_RETURN(const std::optional<UpdateRow> row, journal->FindAssignment(assignment.id));
    if (row.has_value()) contents.received_files.push_back(row->spool_file);
  }
  return contents;
}

}  // namespace thinwire
