#include "deploy/simulate/echo_task.h"

#include <utility>

#include "client/train/echo_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

class EchoWorkerTrainer : public WorkerTrainer {
 public:
  explicit EchoWorkerTrainer(std::unique_ptr<Trainer> trainer) : trainer_(std::move(trainer)) {}
  absl::StatusOr<Trainer*> ForTraining(uint32_t) override { return trainer_.get(); }
  absl::StatusOr<Trainer*> ForEvaluation() override { return trainer_.get(); }

 private:
  const std::unique_ptr<Trainer> trainer_;
};

class EchoTask : public SimulationTask {
 public:
  explicit EchoTask(EchoOptions options) : options_(std::move(options)) {}
  const ModelSpec& model() const override { return *options_.spec; }
  uint64_t examples(uint32_t) const override { return options_.examples; }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, MakeEchoTrainer(options_));
    return std::make_unique<EchoWorkerTrainer>(std::move(trainer));
  }

 private:
  const EchoOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationTask>> MakeEchoTask(const SimulationOptions& options) {
  EchoOptions echo;
  echo.parameters = options.parameters;
  echo.examples = options.examples;
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> any, MakeEchoTrainer(echo));
  TW_ASSIGN_OR_RETURN(const ModelState fresh, any->Initialize(0));
  echo.spec = fresh.spec;
  return std::make_unique<EchoTask>(std::move(echo));
}

}  // namespace thinwire
