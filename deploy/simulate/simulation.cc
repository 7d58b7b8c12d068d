#include "deploy/simulate/simulation.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "deploy/local/run_demo.h"
#include "deploy/simulate/embedded_server.h"
#include "deploy/simulate/simulation_config.h"
#include "deploy/simulate/virtual_clients.h"
#include "server/service/round_summary.h"

namespace thinwire {
namespace {

constexpr std::chrono::milliseconds kRedraw(100);

uint64_t LargestShard(const SimulationOptions& options, const SimulationTask& task) {
  uint64_t largest = 1;
  for (uint32_t client = 0; client < options.clients; ++client) largest = std::max(largest, task.examples(client));
  return largest;
}

absl::StatusOr<std::vector<RoundLine>> Rounds(const RunParts& parts) {
  constexpr uint32_t kAtOnce = 1000;
  std::vector<RoundLine> lines;
  for (uint32_t first = 0;;) {
    TW_ASSIGN_OR_RETURN(const std::vector<RoundRow> rows, parts.journal->Rounds(first, kAtOnce));
    for (const RoundRow& row : rows) {
      TW_ASSIGN_OR_RETURN(const v1::RoundSummary summary, MakeSummary(row, parts.journal));
      lines.push_back(ToRoundLine(summary));
    }
    if (rows.size() < kAtOnce) return lines;
    first = rows.back().round + 1;
  }
}

absl::StatusOr<std::string> HashOf(const std::string& path) {
  constexpr size_t kBlock = 1 << 20;
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  Sha256Stream hash;
  std::string block;
  for (uint64_t offset = 0; offset < size; offset += block.size()) {
    block.resize(static_cast<size_t>(std::min<uint64_t>(kBlock, size - offset)));
    TW_RETURN_IF_ERROR(file.ReadAt(offset, block.size(), &block[0]));
    hash.Update(block);
  }
  return hash.Finish().Hex();
}

ProcessUsage OwnUsage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), static_cast<uint64_t>(usage.ru_maxrss) * 1024};
}

bool HasEnded(const v1::Status& status) { return status.state() >= v1::RUN_STATE_COMPLETED; }

}  // namespace

uint32_t ThreadsOf(const SimulationOptions& options) {
  return options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
}

void Simulation::Note(const std::function<void()>& change) {
  MutexLock lock(mutex_);
  change();
  changed_.NotifyAll();
}

void Simulation::RequestStop() {
  Note([this] { stop_ = true; });
}

absl::StatusOr<SimulationReport> Simulation::Run() {
  const Monotonic start = Clock::System()->Now();
  const std::string& directory = options_.state;
  if (FileExists(JoinPath(directory, "server"))) {
    return absl::FailedPreconditionError(absl::StrCat(directory, " holds another run; name a folder of its own"));
  }
  TW_ASSIGN_OR_RETURN(const ServerConfig config,
                      SimulationConfig(options_, LargestShard(options_, *task_), JoinPath(directory, "server")));
  RunObserver observer;
  observer.broken = [this](const absl::Status& why) { Note([&] { failure_.Update(why); }); };
  observer.finished = [this](RunState) { Note([this] { finished_ = true; }); };
  const int threads = static_cast<int>(ThreadsOf(options_));
  TW_ASSIGN_OR_RETURN(const auto server, EmbeddedServer::Start(config, threads, std::move(observer)));
  VirtualClientsOptions crowd;
  crowd.trainers = options_.clients;
  crowd.threads = ThreadsOf(options_);
  crowd.directory = JoinPath(directory, "clients");
  crowd.failed = [this](const absl::Status& why) { Note([&] { failure_.Update(why); }); };
  VirtualClients clients(std::move(crowd), task_, server.get());
  absl::Status status = clients.Start();
  if (status.ok()) status = Follow(server.get());
  clients.Stop();
  server->Shutdown();  // before the clients, which its held calls know
  TW_RETURN_IF_ERROR(status);
  TW_ASSIGN_OR_RETURN(SimulationReport report, Collect(server.get()));
  report.directory = directory;
  report.seconds = absl::ToDoubleSeconds(Clock::System()->Now() - start);
  return report;
}

// Until the run has ended and its model is exported.
absl::Status Simulation::Follow(EmbeddedServer* server) {
  const uint64_t watch = server->parts().board->Watch(
      [this](std::shared_ptr<const StatusSnapshot> snapshot) { Note([&] { newest_ = std::move(snapshot); }); });
  absl::Status failure;
  bool told_to_stop = false;
  for (bool finished = false; !finished && failure.ok();) {
    std::shared_ptr<const StatusSnapshot> news;
    {
      MutexLock lock(mutex_);
      if (!finished_ && failure_.ok()) changed_.WaitFor(mutex_, kRedraw);
      news = std::exchange(newest_, nullptr);
      finished = finished_;
      failure = failure_;
      if (stop_ && !std::exchange(told_to_stop, true)) server->driver().Post(StopRequested{"interrupted"});
    }
    if (news == nullptr || progress_ == nullptr) continue;
    const v1::Traffic& traffic = news->status.trainer_traffic();
    WireBytes bytes;
    bytes.down = traffic.down().payload_bytes();
    bytes.up = traffic.up().payload_bytes();
    progress_->Update(news->status, bytes, Clock::System()->Now());
  }
  server->parts().board->Unwatch(watch);
  if (progress_ != nullptr) progress_->End();
  return failure;
}

absl::StatusOr<SimulationReport> Simulation::Collect(EmbeddedServer* server) {
  SimulationReport report;
  report.options = options_;
  report.options.threads = ThreadsOf(options_);
  const v1::Status status = server->parts().board->Latest()->status;
  if (!HasEnded(status)) return absl::InternalError("the run has finished without an end state");
  RunReport summary;
  AddStatus(status, &summary);
  report.state = summary.state;
  report.reason = summary.reason;
  report.accuracy = summary.accuracy;
  report.model_path = summary.model_path;
  const TrafficTotals traffic = server->parts().traffic->Totals();
  report.trainer_down = traffic.At(Role::kTrainer, Direction::kDown);
  report.trainer_up = traffic.At(Role::kTrainer, Direction::kUp);
  report.evaluator_down = traffic.At(Role::kEvaluator, Direction::kDown);
  TW_ASSIGN_OR_RETURN(report.rounds, Rounds(server->parts()));
  if (!report.model_path.empty()) {
    TW_ASSIGN_OR_RETURN(report.model_sha256, HashOf(report.model_path));
  }
  report.usage = OwnUsage();
  return report;
}

}  // namespace thinwire
