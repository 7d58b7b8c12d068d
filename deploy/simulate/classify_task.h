// Virtual clients that train an image classifier, each on its part of one data set. No LibTorch in this header.
#ifndef THINWIRE_DEPLOY_SIMULATE_CLASSIFY_TASK_H_
#define THINWIRE_DEPLOY_SIMULATE_CLASSIFY_TASK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// Reads the data set once and deals it out: client i of n has what `thinwire-client --shard i/n` has. In memory are the
// data set, for each worker a model, a client's part and the test set, and no more however many clients there are.
// Errors: those of LoadTrainingShard, LoadTestSet, PartitionSamples and MakeTorchTrainer.
absl::StatusOr<std::unique_ptr<SimulationTask>> MakeClassifyTask(const SimulationOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_CLASSIFY_TASK_H_
