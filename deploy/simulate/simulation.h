// One simulated run, from an empty state folder to the exported model.
#ifndef THINWIRE_DEPLOY_SIMULATE_SIMULATION_H_
#define THINWIRE_DEPLOY_SIMULATE_SIMULATION_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "deploy/local/progress.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_report.h"
#include "deploy/simulate/simulation_task.h"
#include "server/service/status_board.h"

namespace thinwire {

// Run once, from one thread; RequestStop from any.
class Simulation {
 public:
  // `task` must outlive it. `progress` may be nullptr.
  Simulation(const SimulationOptions& options, const SimulationTask* task, Progress* progress)
      : options_(options), task_(task), progress_(progress) {}

  // Everything goes below options.state. The same options give the same model, bit by bit, whatever the number of
  // threads. A run that ends in another state than COMPLETED is a report, not an error. INVALID_ARGUMENT: the options
  // do not fit together; FAILED_PRECONDITION: the folder holds another run. Otherwise the errors of files, of the task,
  // or of a client that cannot go on.
  absl::StatusOr<SimulationReport> Run();
  // The run ends as STOPPED; the newest version is exported.
  void RequestStop();

 private:
  absl::Status Follow(class EmbeddedServer* server);
  absl::StatusOr<SimulationReport> Collect(class EmbeddedServer* server);
  void Note(const std::function<void()>& change);

  const SimulationOptions options_;
  const SimulationTask* const task_;
  Progress* const progress_;
  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<const StatusSnapshot> newest_ TW_GUARDED_BY(mutex_);
  bool stop_ TW_GUARDED_BY(mutex_) = false;
  bool finished_ TW_GUARDED_BY(mutex_) = false;
  absl::Status failure_ TW_GUARDED_BY(mutex_);
};

// Threads that `options` ask for.
uint32_t ThreadsOf(const SimulationOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SIMULATION_H_
