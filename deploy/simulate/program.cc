#include "deploy/simulate/program.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "client/daemon/stop_signals.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/codec/float_environment.h"
#include "deploy/local/exit_codes.h"
#include "deploy/local/progress.h"
#include "deploy/local/run_demo.h"
#include "deploy/simulate/echo_task.h"
#include "deploy/simulate/kept_updates.h"
#include "deploy/simulate/simulation.h"
#include "deploy/simulate/usage.h"

namespace thinwire {
namespace {

constexpr char kProgram[] = "thinwire-simulate";

// The server's log, which on a terminal would drown the progress.
void SetUpLog(const std::string& path) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, /*truncate=*/true);
  auto logger = std::make_shared<spdlog::logger>(kProgram, std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

absl::StatusOr<SimulationReport> Simulate(SimulationOptions options, const TorchTaskFactory& make_torch_task) {
  TW_RETURN_IF_ERROR(CheckFloatEnvironment());
  TW_ASSIGN_OR_RETURN(std::unique_ptr<SimulationTask> task,
                      options.task == "echo" ? MakeEchoTask(options) : make_torch_task(options));
  if (options.no_sync) DisableSync();
  if (!options.keep_updates.empty()) {
    TW_ASSIGN_OR_RETURN(task, KeepUpdates(std::move(task), options.keep_updates));
  }
  TW_ASSIGN_OR_RETURN(options.state, FreshDirectory(options.state));
  SetUpLog(JoinPath(options.state, "simulate.log"));
  std::FILE* const out = options.format == "json" ? stderr : stdout;
  Progress progress(out, isatty(fileno(out)) != 0);
  Simulation simulation(options, task.get(), &progress);
  const StopSignals signals([&simulation] { simulation.RequestStop(); });
  TW_ASSIGN_OR_RETURN(const SimulationReport report, simulation.Run());
  spdlog::default_logger()->flush();
  TW_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(report.directory, "result.json"), ToJson(report)));
  return report;
}

}  // namespace

int RunSimulationProgram(const std::vector<std::string>& arguments, const TorchTaskFactory& make_torch_task) {
  const absl::StatusOr<SimulationOptions> options = ParseSimulationOptions(arguments);
  if (!options.ok()) return ExitWithError(kProgram, options.status(), kExitWrongUsage);
  if (options->help) {
    std::fputs(kSimulateUsage, stdout);
    return kExitDone;
  }
  BlockStopSignals();
  const absl::StatusOr<SimulationReport> report = Simulate(*options, make_torch_task);
  if (!report.ok()) return ExitWithError(kProgram, report.status(), ExitCodeOf(report.status()));
  std::fputs((options->format == "json" ? ToJson(*report) : "\n" + ToText(*report)).c_str(), stdout);
  return ExitCodeOfState(report->state);
}

}  // namespace thinwire
