// Virtual clients that train with LibTorch. No LibTorch in this header.
#ifndef THINWIRE_DEPLOY_SIMULATE_TORCH_TASKS_H_
#define THINWIRE_DEPLOY_SIMULATE_TORCH_TASKS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// By options.task: "classify", images, "speech", recordings of one index, or "text". All data are read once: client i
// of n has what `thinwire-client --shard i/n` has. In memory are all clients' data and, for each worker, a model, a
// client's part and the test set. Errors: those of image_folder.h, local_speech.h, local_text.h, partition.h and of the
// trainers.
absl::StatusOr<std::unique_ptr<SimulationTask>> MakeTorchTask(const SimulationOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_TORCH_TASKS_H_
