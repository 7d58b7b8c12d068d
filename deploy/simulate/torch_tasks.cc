#include "deploy/simulate/torch_tasks.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/train/local_data.h"
#include "client/train/local_speech.h"
#include "client/train/local_text.h"
#include "client/train/partition.h"
#include "client/train/speech_trainer.h"
#include "client/train/text_trainer.h"
#include "client/train/torch_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// The data of all clients, and how a trainer is made for them: one such struct for each task.
struct DealtImages {
  Dataset train;  // of all clients
  Dataset test;
  std::vector<std::vector<uint32_t>> shards;  // indices into `train`, ascending
  TorchTrainerOptions options;

  uint64_t examples(uint32_t client) const { return shards[client].size(); }
  Dataset Of(uint32_t client) const {
    Dataset part;
    part.shape = train.shape;
    part.channels = train.channels;
    part.photographs = train.photographs;
    part.classes = train.classes;
    const auto values = static_cast<ptrdiff_t>(train.shape.values());
    part.images.reserve(shards[client].size() * train.shape.values());
    for (const uint32_t index : shards[client]) {
      const auto first = train.images.begin() + index * values;
      part.images.insert(part.images.end(), first, first + values);
      part.labels.push_back(train.labels[index]);
    }
    return part;
  }
  absl::StatusOr<std::unique_ptr<ImageTrainer>> MakeTrainer() const { return MakeTorchTrainer(options, Of(0), test); }
};

struct DealtRecordings {
  std::vector<SpeechData> clients;
  SpeechData test;
  SpeechTrainerOptions options;

  uint64_t examples(uint32_t client) const { return clients[client].samples.size(); }
  const SpeechData& Of(uint32_t client) const { return clients[client]; }
  absl::StatusOr<std::unique_ptr<SpeechTrainer>> MakeTrainer() const {
    return MakeSpeechTrainer(options, clients[0], test);
  }
};

struct DealtTexts {
  TextData train;  // of all clients
  TextData test;
  std::vector<std::vector<uint32_t>> shards;  // indices into `train`, ascending
  TextTrainerOptions options;

  uint64_t examples(uint32_t client) const { return shards[client].size(); }
  TextData Of(uint32_t client) const { return train.Part(shards[client]); }
  absl::StatusOr<std::unique_ptr<TextTrainer>> MakeTrainer() const { return MakeTextTrainer(options, Of(0), test); }
};

// Its trainer takes turns at the clients' data.
template <typename Data, typename TaskTrainer>
class LentTrainer : public WorkerTrainer {
 public:
  LentTrainer(const Data& data, std::unique_ptr<TaskTrainer> trainer) : data_(data), trainer_(std::move(trainer)) {}

  absl::StatusOr<Trainer*> ForTraining(uint32_t client) override {
    TW_RETURN_IF_ERROR(trainer_->SetTrainingData(data_.Of(client)));
    return trainer_.get();
  }
  absl::StatusOr<Trainer*> ForEvaluation() override { return trainer_.get(); }

 private:
  const Data& data_;
  const std::unique_ptr<TaskTrainer> trainer_;
};

template <typename Data>
class TorchTask : public SimulationTask {
 public:
  explicit TorchTask(Data data) : data_(std::move(data)) {}

  absl::Status FindModel() {
    TW_ASSIGN_OR_RETURN(const auto trainer, data_.MakeTrainer());
    model_ = trainer->model();
    return absl::OkStatus();
  }
  const ModelSpec& model() const override { return model_; }
  uint64_t examples(uint32_t client) const override { return data_.examples(client); }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    TW_ASSIGN_OR_RETURN(auto trainer, data_.MakeTrainer());
    using TaskTrainer = typename decltype(trainer)::element_type;
    return std::make_unique<LentTrainer<Data, TaskTrainer>>(data_, std::move(trainer));
  }

 private:
  const Data data_;
  ModelSpec model_;
};

template <typename Data>
absl::StatusOr<std::unique_ptr<SimulationTask>> MakeTask(Data data) {
  auto task = std::make_unique<TorchTask<Data>>(std::move(data));
  TW_RETURN_IF_ERROR(task->FindModel());
  return task;
}

absl::StatusOr<DealtImages> DealImages(const SimulationOptions& options) {
  DealtImages data;
  data.options.model = options.model;
  TW_ASSIGN_OR_RETURN(data.options.weights, WeightsRule::Parse(options.weights));
  TW_ASSIGN_OR_RETURN(data.options.augment, ParseAugmentRule(options.augment));
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

absl::StatusOr<DealtRecordings> DealRecordings(const SimulationOptions& options) {
  DealtRecordings data;
  data.options.model = options.model;
  data.options.dropout = options.dropout;
  TW_ASSIGN_OR_RETURN(data.options.weights, WeightsRule::Parse(options.weights));
  LocalSpeechOptions local;
  local.index = options.data;
  local.folder = options.audio;
  local.seed = options.seed;
  local.samples = options.samples;
  TW_ASSIGN_OR_RETURN(local.rule, PartitionRule::Parse(options.partition));
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

absl::StatusOr<DealtTexts> DealTexts(const SimulationOptions& options) {
  DealtTexts data;
  data.options.model = options.model;
  data.options.dropout = options.dropout;
  TW_ASSIGN_OR_RETURN(data.options.weights, WeightsRule::Parse(options.weights));
  LocalTextOptions local;
  local.data = options.data;
  local.vocabulary = options.vocabulary;
  local.words = options.words;
  local.test_set = options.test_set;
  local.test_samples = options.test_samples;
  local.seed = options.seed;
  local.samples = options.samples;
  TW_ASSIGN_OR_RETURN(local.rule, PartitionRule::Parse(options.partition));
  TW_ASSIGN_OR_RETURN(data.train, LoadTextTraining(local));
  TW_ASSIGN_OR_RETURN(data.shards, DealText(data.train, local, options.clients));
  TW_ASSIGN_OR_RETURN(data.test, LoadTextTestSet(local));
  for (const TextData* texts : {&data.train, &data.test}) {
    if (texts->skipped.count > 0) spdlog::warn("texts: {}", texts->skipped.ToText());
  }
  return data;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationTask>> MakeTorchTask(const SimulationOptions& options) {
  if (options.task == "text") {
    TW_ASSIGN_OR_RETURN(DealtTexts texts, DealTexts(options));
    return MakeTask(std::move(texts));
  }
  if (options.task == "speech") {
    TW_ASSIGN_OR_RETURN(DealtRecordings recordings, DealRecordings(options));
    return MakeTask(std::move(recordings));
  }
  TW_ASSIGN_OR_RETURN(DealtImages images, DealImages(options));
  return MakeTask(std::move(images));
}

}  // namespace thinwire
