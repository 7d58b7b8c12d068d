// Virtual clients that train a speech recogniser, each on its recordings of one index. No LibTorch in this header.
#ifndef THINWIRE_DEPLOY_SIMULATE_SPEECH_TASK_H_
#define THINWIRE_DEPLOY_SIMULATE_SPEECH_TASK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// Reads all recordings once: client i of n has what `thinwire-client --task speech --shard i/n` has. In memory are the
// features of all of them and, for each worker, a model, a client's features and the test set's.
// Errors: those of LoadSpeechShard, LoadSpeechTestSet and MakeSpeechTrainer.
absl::StatusOr<std::unique_ptr<SimulationTask>> MakeSpeechTask(const SimulationOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SPEECH_TASK_H_
