#include "deploy/simulate/speech_task.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/train/local_speech.h"
#include "client/train/partition.h"
#include "client/train/speech_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

struct DealtRecordings {
  std::vector<SpeechData> clients;
  SpeechData test;
};

class SpeechWorkerTrainer : public WorkerTrainer {
 public:
  SpeechWorkerTrainer(const DealtRecordings& data, std::unique_ptr<SpeechTrainer> trainer)
      : data_(data), trainer_(std::move(trainer)) {}

  absl::StatusOr<Trainer*> ForTraining(uint32_t client) override {
    TW_RETURN_IF_ERROR(trainer_->SetTrainingData(data_.clients[client]));
    return trainer_.get();
  }
  absl::StatusOr<Trainer*> ForEvaluation() override { return trainer_.get(); }

 private:
  const DealtRecordings& data_;
  const std::unique_ptr<SpeechTrainer> trainer_;
};

class SpeechTask : public SimulationTask {
 public:
  SpeechTask(SpeechTrainerOptions options, DealtRecordings data)
      : options_(std::move(options)), data_(std::move(data)) {}

  absl::Status FindModel() {
    TW_ASSIGN_OR_RETURN(const auto trainer, MakeTrainer());
    model_ = trainer->model();
    return absl::OkStatus();
  }
  const ModelSpec& model() const override { return model_; }
  uint64_t examples(uint32_t client) const override { return data_.clients[client].samples.size(); }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    TW_ASSIGN_OR_RETURN(std::unique_ptr<SpeechTrainer> trainer, MakeTrainer());
    return std::make_unique<SpeechWorkerTrainer>(data_, std::move(trainer));
  }

 private:
  absl::StatusOr<std::unique_ptr<SpeechTrainer>> MakeTrainer() const {
    return MakeSpeechTrainer(options_, data_.clients[0], data_.test);
  }

  const SpeechTrainerOptions options_;
  const DealtRecordings data_;
  ModelSpec model_;
};

absl::StatusOr<DealtRecordings> LoadAndDeal(const SimulationOptions& options) {
  LocalSpeechOptions local;
  local.index = options.data;
  local.folder = options.audio;
  local.seed = options.seed;
  local.samples = options.samples;
  TW_ASSIGN_OR_RETURN(local.rule, PartitionRule::Parse(options.partition));
  DealtRecordings data;
  for (uint32_t client = 0; client < options.clients; ++client) {
    local.shard = {client, options.clients};
    TW_ASSIGN_OR_RETURN(SpeechData own, LoadSpeechShard(local));
    const std::string skipped = own.skipped.ToText(own.samples.size() + own.skipped.count);
    if (!skipped.empty()) spdlog::warn("recordings of client {}: {}", client, skipped);
    data.clients.push_back(std::move(own));
  }
  TW_ASSIGN_OR_RETURN(data.test, LoadSpeechTestSet(local));
  return data;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationTask>> MakeSpeechTask(const SimulationOptions& options) {
  SpeechTrainerOptions speech;
  speech.model = options.model;
  speech.dropout = options.dropout;
  TW_ASSIGN_OR_RETURN(speech.weights, WeightsRule::Parse(options.weights));
  TW_ASSIGN_OR_RETURN(DealtRecordings data, LoadAndDeal(options));
  auto task = std::make_unique<SpeechTask>(std::move(speech), std::move(data));
  TW_RETURN_IF_ERROR(task->FindModel());
  return task;
}

}  // namespace thinwire
