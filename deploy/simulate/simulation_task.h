// What virtual clients work on: the model, how much data each of them has, and trainers that they borrow.
#ifndef THINWIRE_DEPLOY_SIMULATE_SIMULATION_TASK_H_
#define THINWIRE_DEPLOY_SIMULATE_SIMULATION_TASK_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// One worker thread's trainer, lent to one virtual client after the other. Used from one thread at a time.
class WorkerTrainer {
 public:
  virtual ~WorkerTrainer() = default;
  // With the data of trainer `client`, counted from 0. The pointer is good until the next call.
  virtual absl::StatusOr<Trainer*> ForTraining(uint32_t client) = 0;
  // With the test data.
  virtual absl::StatusOr<Trainer*> ForEvaluation() = 0;
};

// Immutable once made; thread-safe.
class SimulationTask {
 public:
  virtual ~SimulationTask() = default;
  virtual const ModelSpec& model() const = 0;
  // Size of that client's data set, at least 1: the weight of its updates.
  virtual uint64_t examples(uint32_t client) const = 0;
  // The task must outlive the trainer. Call before any trainer of the process is at work.
  virtual absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SIMULATION_TASK_H_
