#include "client/train/text_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/train/length_batches.h"
#include "client/train/module_trainer.h"
#include "client/train/text_transformer.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using Samples = std::vector<const TextSample*>;

constexpr int64_t kNoTarget = -100;  // where nothing is predicted

// Some texts as the model takes them.
struct Batch {
  at::Tensor symbols;  // int64 [n, length], zeros behind each text's end
  at::Tensor lengths;  // int64 [n]
  at::Tensor targets;  // int64, one for each sentence or place
};

Batch SentenceBatch(const Samples& samples) {
  std::vector<int64_t> lengths, targets;
  for (const TextSample* sample : samples) {
    lengths.push_back(static_cast<int64_t>(sample->symbols.size()));
    targets.push_back(sample->label);
  }
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  Batch batch{at::zeros({static_cast<int64_t>(samples.size()), longest}, at::kLong), at::tensor(lengths, at::kLong),
              at::tensor(targets, at::kLong)};
  auto* row = batch.symbols.data_ptr<int64_t>();
  for (const TextSample* sample : samples) {
    std::copy(sample->symbols.begin(), sample->symbols.end(), row);
    row += longest;
  }
  return batch;
}

// Of each window all characters but the last are read, all but the first predicted.
Batch CharacterBatch(const Samples& samples) {
  std::vector<int64_t> lengths;
  for (const TextSample* sample : samples) lengths.push_back(static_cast<int64_t>(sample->symbols.size()) - 1);
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end()), n = static_cast<int64_t>(samples.size());
  Batch batch{at::zeros({n, longest}, at::kLong), at::tensor(lengths, at::kLong),
              at::full({n * longest}, kNoTarget, at::kLong)};
  auto* read = batch.symbols.data_ptr<int64_t>();
  auto* predicted = batch.targets.data_ptr<int64_t>();
  for (const TextSample* sample : samples) {
    std::copy(sample->symbols.begin(), sample->symbols.end() - 1, read);
    std::copy(sample->symbols.begin() + 1, sample->symbols.end(), predicted);
    read += longest;
    predicted += longest;
  }
  return batch;
}

// INVALID_ARGUMENT unless every sample fits what `data` says of them.
absl::Status CheckData(const TextData& data) {
  const size_t fewest = data.kind == TextData::Kind::kSentences ? 1 : 2;
  for (size_t i = 0; i < data.samples.size(); ++i) {
    const TextSample& sample = data.samples[i];
    const uint16_t largest =
        sample.symbols.empty() ? uint16_t{0} : *std::max_element(sample.symbols.begin(), sample.symbols.end());
    if (sample.symbols.size() >= fewest && largest < data.symbols && sample.label < data.classes) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "text ", i, " has ", sample.symbols.size(), " symbols up to ", largest, " and label ", sample.label,
        "; at least ", fewest, " symbols below ", data.symbols, " and a label below ", data.classes, " are needed"));
  }
  return absl::OkStatus();
}

absl::Status CheckAlike(const TextData& data, const TextData& model) {
  if (data.kind == model.kind && data.symbols == model.symbols && data.classes == model.classes &&
      data.table == model.table) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("texts of ", data.symbols, " symbols of '", data.table, "' and ",
                                                 data.classes, " classes; the model is for ", model.symbols,
                                                 " symbols of '", model.table, "' and ", model.classes,
                                                 " classes; load all data by the same rules and vocabulary"));
}

class TransformerTrainer : public ModuleTrainer<TextTrainer, TextTransformer> {
 public:
  TransformerTrainer(const TextTrainerOptions& options, TextModelOptions sizes, BuiltModule<TextTransformer> built,
                     TextData train, TextData test)
      : ModuleTrainer(std::move(built)),
        evaluation_batch_(options.evaluation_batch),
        sizes_(std::move(sizes)),
        train_(std::move(train)),
        test_(std::move(test)) {}

  uint64_t examples() const override { return train_.samples.size(); }

  absl::Status SetTrainingData(TextData train) override {
    if (train.samples.empty()) return absl::InvalidArgumentError("the new training data hold no texts");
    TW_RETURN_IF_ERROR(CheckAlike(train, train_));
    TW_RETURN_IF_ERROR(CheckData(train));
    round().Forget();
    train_ = std::move(train);
    return absl::OkStatus();
  }

 protected:
  absl::Status CheckCanTrain(const TrainingOptions& /*options*/) const override {
    if (!train_.samples.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError("this client has no training data; give it texts and a shard");
  }
  absl::Status CheckCanEvaluate() const override {
    if (!test_.samples.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "this client has no test data, so it cannot evaluate; give it data with a test set");
  }

  absl::StatusOr<TrainResult> TrainRound(const TrainRequest& request, BlockSource& start) override {
    std::vector<size_t> lengths;
    for (const TextSample& sample : train_.samples) lengths.push_back(sample.symbols.size());
    LengthBatches order(std::move(lengths), request.options.batch_size, request.seed);
    network().Seed(DeriveKey({request.seed, KeyWord("dropout")}));
    const auto loss = [&] { return LossOf(order.Next()); };
    TW_ASSIGN_OR_RETURN(const double mean,
                        round().Train(request, StepsOf(request.options, order.batches_per_epoch()), loss, start));
    return TrainResult{train_.samples.size(), mean};
  }

  absl::StatusOr<EvaluateResult> EvaluateLoaded() override {
    double loss = 0;
    int64_t right = 0, predicted = 0;
    const size_t count = test_.samples.size();
    for (size_t first = 0; first < count; first += evaluation_batch_) {
      Samples samples;
      for (size_t i = first; i < std::min<size_t>(first + evaluation_batch_, count); ++i) {
        samples.push_back(&test_.samples[i]);
      }
      const Batch batch = MakeBatch(samples);
      const at::Tensor scores = Scores(batch);
      loss += LossOf(batch, scores, at::Reduction::Sum).item<double>();
      right += scores.argmax(-1).eq(batch.targets).sum().item<int64_t>();
      predicted += batch.targets.ne(kNoTarget).sum().item<int64_t>();
    }
    const auto all = static_cast<double>(predicted);
    return EvaluateResult{count, loss / all, static_cast<double>(right) / all};
  }

 private:
  at::Tensor LossOf(absl::Span<const uint32_t> indices) {
    Samples samples;
    for (const uint32_t index : indices) samples.push_back(&train_.samples[index]);
    const Batch batch = MakeBatch(samples);
    return LossOf(batch, Scores(batch), at::Reduction::Mean);
  }

  Batch MakeBatch(const Samples& samples) const {
    const Batch batch = sizes_.next_symbol ? CharacterBatch(samples) : SentenceBatch(samples);
    return {batch.symbols.to(device()), batch.lengths.to(device()), batch.targets.to(device())};
  }

  // [targets, classes]
  at::Tensor Scores(const Batch& batch) {
    return network().Forward(batch.symbols, batch.lengths).reshape({-1, sizes_.classes});
  }

  static at::Tensor LossOf(const Batch& batch, const at::Tensor& scores, at::Reduction::Reduction reduction) {
    return at::cross_entropy_loss(scores, batch.targets, /*weight=*/{}, reduction, kNoTarget);
  }

  const uint32_t evaluation_batch_;
  const TextModelOptions sizes_;
  TextData train_;
  const TextData test_;
};

absl::StatusOr<TextModelOptions> SizesFor(const TextTrainerOptions& options, const TextData& data) {
  TW_ASSIGN_OR_RETURN(TextModelOptions sizes, TextModelNamed(options.model));
  sizes.dropout = options.dropout;
  sizes.symbols = data.symbols;
  sizes.classes = data.classes;
  sizes.table = data.table;
  sizes.next_symbol = data.kind == TextData::Kind::kCharacters;
  TW_RETURN_IF_ERROR(CheckTextModel(sizes));
  return sizes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextTrainer>> MakeTextTrainer(const TextTrainerOptions& options, TextData train,
                                                             TextData test) {
  if (train.samples.empty() && test.samples.empty()) {
    return absl::InvalidArgumentError("a trainer needs training data, test data or both; both are empty");
  }
  if (train.samples.empty()) train = test.WithoutSamples();
  if (test.samples.empty()) test = train.WithoutSamples();
  TW_RETURN_IF_ERROR(CheckAlike(test, train));
  TW_RETURN_IF_ERROR(CheckData(train));
  TW_RETURN_IF_ERROR(CheckData(test));
  TW_ASSIGN_OR_RETURN(const TextModelOptions sizes, SizesFor(options, train));
  const auto make =
      [&](const std::shared_ptr<MatrixKeeper>& keeper) -> absl::StatusOr<std::shared_ptr<TextTransformer>> {
    return std::make_shared<TextTransformer>(keeper, sizes);
  };
  TW_ASSIGN_OR_RETURN(BuiltModule<TextTransformer> built, BuildModule<TextTransformer>(options, make));
  return std::make_unique<TransformerTrainer>(options, sizes, std::move(built), std::move(train), std::move(test));
}

}  // namespace thinwire
