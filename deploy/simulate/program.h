// thinwire-simulate without its main function, of which there are two: with LibTorch and without.
#ifndef THINWIRE_DEPLOY_SIMULATE_PROGRAM_H_
#define THINWIRE_DEPLOY_SIMULATE_PROGRAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// Makes the tasks that need LibTorch, by options.task.
using TorchTaskFactory =
    std::function<absl::StatusOr<std::unique_ptr<SimulationTask>>(const SimulationOptions& options)>;

// Returns the exit code; --help lists them. Call from the main thread before any other is started.
int RunSimulationProgram(const std::vector<std::string>& arguments, const TorchTaskFactory& make_torch_task);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_PROGRAM_H_
