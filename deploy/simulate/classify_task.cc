#include "deploy/simulate/classify_task.h"

#include <utility>
#include <vector>

#include "client/train/local_data.h"
#include "client/train/partition.h"
#include "client/train/torch_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

struct DealtData {
  Dataset train;  // of all clients
  Dataset test;
  std::vector<std::vector<uint32_t>> shards;  // indices into `train`, ascending
};

Dataset Part(const Dataset& all, const std::vector<uint32_t>& indices) {
  Dataset part;
  part.shape = all.shape;
  part.classes = all.classes;
  const auto values = static_cast<ptrdiff_t>(all.shape.values());
  part.images.reserve(indices.size() * all.shape.values());
  for (const uint32_t index : indices) {
    const auto first = all.images.begin() + index * values;
    part.images.insert(part.images.end(), first, first + values);
    part.labels.push_back(all.labels[index]);
  }
  return part;
}

class ClassifyWorkerTrainer : public WorkerTrainer {
 public:
  ClassifyWorkerTrainer(const DealtData& data, std::unique_ptr<ImageTrainer> trainer)
      : data_(data), trainer_(std::move(trainer)) {}

  absl::StatusOr<Trainer*> ForTraining(uint32_t client) override {
    TW_RETURN_IF_ERROR(trainer_->SetTrainingData(Part(data_.train, data_.shards[client])));
    return trainer_.get();
  }
  absl::StatusOr<Trainer*> ForEvaluation() override { return trainer_.get(); }

 private:
  const DealtData& data_;
  const std::unique_ptr<ImageTrainer> trainer_;
};

class ClassifyTask : public SimulationTask {
 public:
  ClassifyTask(TorchTrainerOptions options, DealtData data) : options_(std::move(options)), data_(std::move(data)) {}

  absl::Status FindModel() {
    TW_ASSIGN_OR_RETURN(const auto trainer, MakeTrainer());
    model_ = trainer->model();
    return absl::OkStatus();
  }
  const ModelSpec& model() const override { return model_; }
  uint64_t examples(uint32_t client) const override { return data_.shards[client].size(); }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<ImageTrainer> trainer, MakeTrainer());
    return std::make_unique<ClassifyWorkerTrainer>(data_, std::move(trainer));
  }

 private:
  absl::StatusOr<std::unique_ptr<ImageTrainer>> MakeTrainer() const {
    return MakeTorchTrainer(options_, Part(data_.train, data_.shards[0]), data_.test);
  }

  const TorchTrainerOptions options_;
  const DealtData data_;
  ModelSpec model_;
};

absl::StatusOr<DealtData> LoadAndDeal(const SimulationOptions& options) {
  DealtData data;
  LocalDataOptions whole;
  whole.folder = options.data;
  TW_ASSIGN_OR_RETURN(data.train, LoadTrainingShard(whole));
  TW_ASSIGN_OR_RETURN(data.test, LoadTestSet(options.data));
  PartitionOptions deal;
  TW_ASSIGN_OR_RETURN(deal.rule, PartitionRule::Parse(options.partition));
  deal.shards = options.clients;
  deal.seed = options.seed;
  deal.samples = options.samples;
  TW_ASSIGN_OR_RETURN(data.shards, PartitionSamples(data.train.labels, deal));
  return data;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationTask>> MakeClassifyTask(const SimulationOptions& options) {
  TW_ASSIGN_OR_RETURN(DealtData data, LoadAndDeal(options));
  TorchTrainerOptions torch;
  torch.model = options.model;
  TW_ASSIGN_OR_RETURN(torch.weights, WeightsRule::Parse(options.weights));
  auto task = std::make_unique<ClassifyTask>(std::move(torch), std::move(data));
  TW_RETURN_IF_ERROR(task->FindModel());
  return task;
}

}  // namespace thinwire
