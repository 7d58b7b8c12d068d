#include "deploy/simulate/kept_updates.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using nlohmann::ordered_json;

// NumPy's own format, version 1: the header ends with a line feed at a multiple of 64 bytes.
std::string NpyHeader(uint64_t values) {
  constexpr size_t kPrefix = 10, kMultiple = 64;
  std::string text = absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", values, ",), }");
  text.append(kMultiple - 1 - (kPrefix + text.size()) % kMultiple, ' ');
  text.push_back('\n');
  std::string header("\x93NUMPY\x01\x00", 8);
  AppendLittle(static_cast<uint16_t>(text.size()), &header);
  return header + text;
}

// `trained` less `start`, in trainable tensors.
std::string Npy(const ModelState& start, const ModelState& trained) {
  const std::vector<TensorSpec>& tensors = start.spec.tensors();
  std::string file = NpyHeader(start.spec.count(TensorRole::kTrainable));
  for (size_t tensor = 0; tensor < tensors.size(); ++tensor) {
    if (tensors[tensor].role != TensorRole::kTrainable) continue;
    for (size_t i = 0; i < start.floats[tensor].size(); ++i) {
      AppendLittle(FloatBits(trained.floats[tensor][i] - start.floats[tensor][i]), &file);
    }
  }
  return file;
}

std::string Meta(const ModelSpec& model) {
  ordered_json names = ordered_json::array(), shapes = ordered_json::array();
  for (const TensorSpec& tensor : model.tensors()) {
    if (tensor.role != TensorRole::kTrainable) continue;
    names.push_back(tensor.name);
    shapes.push_back(tensor.shape);
  }
  const ordered_json meta = {{"names", names}, {"shapes", shapes}, {"n", model.count(TensorRole::kTrainable)}};
  return meta.dump(1) + "\n";
}

class KeepingTrainer : public Trainer {
 public:
  KeepingTrainer(Trainer* trainer, const std::string& directory, uint32_t client)
      : trainer_(trainer), directory_(directory), client_(client) {}

  const ModelSpec& model() const override { return trainer_->model(); }
  uint64_t examples() const override { return trainer_->examples(); }
  absl::StatusOr<ModelState> Initialize(uint64_t seed) override { return trainer_->Initialize(seed); }
  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) override { return trainer_->Evaluate(state); }
  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) override {
    const ModelState start = *state;
    TW_ASSIGN_OR_RETURN(const TrainResult result, trainer_->Train(request, state));
    const std::string name = absl::StrFormat("r%02u_c%u.npy", request.round, client_);
    TW_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(directory_, name), Npy(start, *state)));
    return result;
  }

 private:
  Trainer* const trainer_;
  const std::string directory_;
  const uint32_t client_;
};

class KeepingWorkerTrainer : public WorkerTrainer {
 public:
  KeepingWorkerTrainer(std::unique_ptr<WorkerTrainer> worker, const std::string& directory)
      : worker_(std::move(worker)), directory_(directory) {}

  absl::StatusOr<Trainer*> ForTraining(uint32_t client) override {
    TW_ASSIGN_OR_RETURN(Trainer* const trainer, worker_->ForTraining(client));
    lent_ = std::make_unique<KeepingTrainer>(trainer, directory_, client);
    return lent_.get();
  }
  absl::StatusOr<Trainer*> ForEvaluation() override { return worker_->ForEvaluation(); }

 private:
  const std::unique_ptr<WorkerTrainer> worker_;
  const std::string directory_;
  std::unique_ptr<KeepingTrainer> lent_;
};

class KeepingTask : public SimulationTask {
 public:
  KeepingTask(std::unique_ptr<SimulationTask> task, std::string directory)
      : task_(std::move(task)), directory_(std::move(directory)) {}

  const ModelSpec& model() const override { return task_->model(); }
  uint64_t examples(uint32_t client) const override { return task_->examples(client); }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<WorkerTrainer> worker, task_->MakeWorkerTrainer());
    return std::make_unique<KeepingWorkerTrainer>(std::move(worker), directory_);
  }

 private:
  const std::unique_ptr<SimulationTask> task_;
  const std::string directory_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationTask>> KeepUpdates(std::unique_ptr<SimulationTask> task,
                                                            const std::string& directory) {
  const std::string meta = JoinPath(directory, "meta.json");
  if (FileExists(meta)) {
    return absl::FailedPreconditionError(absl::StrCat(directory, " holds updates already; name a folder of its own"));
  }
  TW_RETURN_IF_ERROR(MakeDirectories(directory));
  TW_RETURN_IF_ERROR(WriteFileAtomically(meta, Meta(task->model())));
  return std::make_unique<KeepingTask>(std::move(task), directory);
}

}  // namespace thinwire
