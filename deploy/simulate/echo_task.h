// Virtual clients that learn nothing: each returns the model plus noise of its own seed. No LibTorch.
#ifndef THINWIRE_DEPLOY_SIMULATE_ECHO_TASK_H_
#define THINWIRE_DEPLOY_SIMULATE_ECHO_TASK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// The same model and noise as of `thinwire-client --task echo --echo-parameters N`. Errors: MakeEchoTrainer's.
absl::StatusOr<std::unique_ptr<SimulationTask>> MakeEchoTask(const SimulationOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_ECHO_TASK_H_
