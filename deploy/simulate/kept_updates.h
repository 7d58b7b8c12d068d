// Keeps what virtual clients have learned, uncompressed: for experiments with update codecs.
#ifndef THINWIRE_DEPLOY_SIMULATE_KEPT_UPDATES_H_
#define THINWIRE_DEPLOY_SIMULATE_KEPT_UPDATES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

// A task like `task` whose trainers leave in `directory`, after each training, rRR_cC.npy (round, client): the trained
// model less the one that training began with, all trainable values in the model's order as one row of float32, as
// update codecs are given them. Besides, meta.json with "names" and "shapes" of the trainable tensors and "n", the
// number of values. Trainers train whole models in full precision: they give neither streaming() nor subspace().
// FAILED_PRECONDITION if the directory has a meta.json already; otherwise errors of files.
absl::StatusOr<std::unique_ptr<SimulationTask>> KeepUpdates(std::unique_ptr<SimulationTask> task,
                                                            const std::string& directory);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_KEPT_UPDATES_H_
