#include "server/service/state_directory.h"

#include <spdlog/spdlog.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "server/aggregate/fixed_point.h"

namespace thinwire {
namespace {

absl::Status AsConfigurationFault(const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(status.message());
}

// The bits left under the largest value do not depend on the model: a configuration that leaves too few is refused
// before anybody trains for nothing.
absl::Status CheckPrecision(const ServerConfig& config) {
  const v1::AggregationConfig& aggregation = config.proto.aggregation();
  TW_ASSIGN_OR_RETURN(const ModelSpec probe,
                      ModelSpec::Create({TensorSpec{"any", {1}, DataType::kFloat32, TensorRole::kTrainable}}));
  const absl::Status status =
      ChooseFixedPoint(probe, {aggregation.max_update_norm()}, aggregation.max_examples(), config.round.clients)
          .status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("aggregation.max_examples and round.clients are too large together: ", status.message()));
}

void LogRecovery(const RecoveryReport& report) {
  for (const std::string& file : report.removed) spdlog::info("leftover removed file={}", file);
  for (const std::string& file : report.repaired) spdlog::warn("payload encoded again file={}", file);
  for (const std::string& what : report.damaged) spdlog::error("damaged what=\"{}\"", what);
  if (report.revoked_version.has_value()) spdlog::error("version revoked version={}", *report.revoked_version);
}

void LogRestored(const RestoredState& restored) {
  if (!restored.coordinator.version.has_value()) return;
  spdlog::info("resumed run={} version={} round={} time_left_seconds={:.0f} assignments={}", restored.run.name,
               *restored.coordinator.version, restored.coordinator.round,
               absl::ToDoubleSeconds(restored.coordinator.time_left), restored.coordinator.assignments.size());
}

}  // namespace

std::string EndpointsPath(const ServerConfig& config) {
  return JoinPath(config.proto.storage().directory(), "endpoints.json");
}

absl::StatusOr<StateDirectory> OpenStateDirectory(const ServerConfig& config, Clock* clock) {
  TW_RETURN_IF_ERROR(CheckPrecision(config));
  const std::string& directory = config.proto.storage().directory();
  TW_RETURN_IF_ERROR(MakeDirectories(directory));
  StateDirectory state;
  TW_ASSIGN_OR_RETURN(state.journal, Journal::Open(JoinPath(directory, "journal.db")));
  // Not before the journal's lock is held: a server that works here needs its file.
  TW_RETURN_IF_ERROR(RemoveFile(EndpointsPath(config)));
  absl::StatusOr<RunRow> run = OpenRun(config, clock, state.journal.get());
  if (absl::IsFailedPrecondition(run.status())) return AsConfigurationFault(run.status());
  TW_RETURN_IF_ERROR(run.status());

  ModelStoreOptions options;
  options.directory = directory;
  options.downlink = config.plan.downlink;
  options.seed = config.proto.run().seed();
  options.keep_versions = config.proto.storage().keep_versions();
  options.subspace = config.plan.subspace;
  options.plan = config.plan;
  TW_ASSIGN_OR_RETURN(state.models, ModelStore::Open(options, state.journal.get()));
  LogRecovery(state.models->recovery());
  TW_RETURN_IF_ERROR(AsConfigurationFault(ImportInitialModel(config, state.models.get())));

  TW_ASSIGN_OR_RETURN(state.restored, RestoreRun(config, *run, *state.models, state.journal.get()));
  LogRestored(state.restored);
  TW_ASSIGN_OR_RETURN(const SpoolContents contents, ContentsOfSpool(state.restored, state.journal.get()));
  SpoolOptions spool;
  spool.directory = JoinPath(directory, "spool");
  spool.max_bytes = config.proto.limits().spool_bytes();
  TW_ASSIGN_OR_RETURN(state.spool, Spool::Open(spool, contents));
  return state;
}

}  // namespace thinwire
