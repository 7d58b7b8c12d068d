#include "client/train/speech_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/speech/alphabet.h"
#include "client/speech/ctc_decoder.h"
#include "client/train/conformer.h"
#include "client/train/length_batches.h"
#include "client/train/module_trainer.h"
#include "client/train/torch_call.h"
#include "client/train/training_check.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using Samples = std::vector<const SpeechSample*>;

// Some recordings as the model takes them.
struct Batch {
  at::Tensor features;  // [n, frames, width], zeros behind each recording's end
  at::Tensor lengths;
  at::Tensor labels;  // all of them, one recording after the other
  std::vector<int64_t> label_counts;
  std::vector<int64_t> output_lengths;  // frames that the model leaves
};

Batch MakeBatch(const Samples& samples, int64_t width) {
  size_t longest = 0;
  std::vector<int64_t> lengths, labels;
  Batch batch;
  for (const SpeechSample* sample : samples) {
    longest = std::max(longest, sample->features.frames);
    lengths.push_back(static_cast<int64_t>(sample->features.frames));
    labels.insert(labels.end(), sample->labels.begin(), sample->labels.end());
    batch.label_counts.push_back(static_cast<int64_t>(sample->labels.size()));
    batch.output_lengths.push_back(
        static_cast<int64_t>(SubsampledFrames(sample->features.frames, kConformerSubsampling)));
  }
  batch.features = at::zeros({static_cast<int64_t>(samples.size()), static_cast<int64_t>(longest), width});
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::vector<float>& values = samples[i]->features.values;
    std::copy(values.begin(), values.end(), batch.features[static_cast<int64_t>(i)].data_ptr<float>());
  }
  batch.lengths = at::tensor(lengths, at::kLong);
  batch.labels = at::tensor(labels, at::kLong);
  return batch;
}

class ConformerTrainer : public ModuleTrainer<SpeechTrainer, Conformer> {
 public:
  ConformerTrainer(SpeechTrainerOptions options, const ConformerOptions& sizes, BuiltModule<Conformer> built,
                   SpeechData train, SpeechData test)
      : ModuleTrainer(std::move(built)),
        options_(std::move(options)),
        sizes_(sizes),
        train_(std::move(train)),
        test_(std::move(test)) {}

  uint64_t examples() const override { return train_.samples.size(); }

  absl::Status SetTrainingData(SpeechData train) override {
    if (train.samples.empty() || train.width != static_cast<uint32_t>(sizes_.features)) {
      return absl::InvalidArgumentError(absl::StrCat("the new training data hold ", train.samples.size(),
                                                     " recordings of ", train.width, " features; the model takes ",
                                                     sizes_.features, " features"));
    }
    round().Forget();
    train_ = std::move(train);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Transcription>> Transcribe(const ModelState& state, size_t beam) override {
    if (beam == 0) return absl::InvalidArgumentError("a beam of 0; 1 is greedy decoding");
    TW_RETURN_IF_ERROR(CheckSameModel(state.spec, model(), name()));
    TW_RETURN_IF_ERROR(CheckCanEvaluate());
    ModelStateSource source(state);
    return CatchTorch("evaluating", [&]() -> absl::StatusOr<std::vector<Transcription>> {
      at::NoGradGuard no_grad;
      TW_RETURN_IF_ERROR(round().Load(source, HeldWeights()));
      return TranscribeLoaded(beam);
    });
  }

 protected:
  absl::Status CheckCanTrain(const TrainingOptions& /*options*/) const override {
    if (!train_.samples.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError("this client has no training data; give it an index and a shard");
  }
  absl::Status CheckCanEvaluate() const override {
    if (!test_.samples.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "this client has no test data, so it cannot evaluate; give it an index with a test set");
  }

  absl::StatusOr<TrainResult> TrainRound(const TrainRequest& request, BlockSource& start) override {
    std::vector<size_t> lengths;
    for (const SpeechSample& sample : train_.samples) lengths.push_back(sample.features.frames);
    LengthBatches order(std::move(lengths), request.options.batch_size, request.seed);
    network().Seed(DeriveKey({request.seed, KeyWord("dropout")}));
    uint64_t step = 0;
    const auto loss = [&] { return LossOf(order.Next(), DeriveKey({request.seed, KeyWord("augment"), step++})); };
    TW_ASSIGN_OR_RETURN(const double mean,
                        round().Train(request, StepsOf(request.options, order.batches_per_epoch()), loss, start));
    return TrainResult{train_.samples.size(), mean};
  }

  absl::StatusOr<EvaluateResult> EvaluateLoaded() override {
    double loss = 0;
    ErrorCount words;
    WalkTestSet([&](const SpeechSample& sample, const FrameScores& scores, double its_loss) {
      loss += its_loss;
      words += CountWordErrors(DecodeTranscript(sample.labels), DecodeTranscript(DecodeGreedy(scores)));
    });
    const auto count = test_.samples.size();
    return EvaluateResult{count, loss / static_cast<double>(count), std::max(0.0, 1 - words.rate())};
  }

 private:
  using Visitor = std::function<void(const SpeechSample&, const FrameScores&, double loss)>;

  std::vector<Transcription> TranscribeLoaded(size_t beam) {
    std::vector<Transcription> all;
    WalkTestSet([&](const SpeechSample& sample, const FrameScores& scores, double) {
      const auto labels = beam == 1 ? DecodeGreedy(scores) : DecodeBeam(scores, beam).front().labels;
      Transcription line{sample.file, sample.speaker, DecodeTranscript(sample.labels), DecodeTranscript(labels), {},
                         {}};
      line.words = CountWordErrors(line.reference, line.hypothesis);
      line.characters = CountCharacterErrors(line.reference, line.hypothesis);
      all.push_back(std::move(line));
    });
    return all;
  }

  at::Tensor LossOf(absl::Span<const uint32_t> indices, uint64_t seed) {
    Samples samples;
    for (const uint32_t index : indices) samples.push_back(&train_.samples[index]);
    Batch batch = MakeBatch(samples, sizes_.features);
    if (options_.augment) Augment(samples, seed, &batch);
    return LossesOf(batch, Forward(batch)).mean();
  }

  void Augment(const Samples& samples, uint64_t seed, Batch* batch) const {
    for (size_t i = 0; i < samples.size(); ++i) {
      float* values = batch->features[static_cast<int64_t>(i)].data_ptr<float>();
      MaskFeatures(options_.masks, DeriveKey({seed, i}), static_cast<size_t>(sizes_.features),
                   absl::MakeSpan(values, samples[i]->features.values.size()));
    }
  }

  at::Tensor Forward(const Batch& batch) {
    return network().Forward(batch.features.to(device()), batch.lengths.to(device())).scores;
  }

  // One number for each recording.
  at::Tensor LossesOf(const Batch& batch, const at::Tensor& scores) const {
    return at::ctc_loss(scores.transpose(0, 1), batch.labels.to(device()), batch.output_lengths, batch.label_counts,
                        kBlankLabel, at::Reduction::None);
  }

  // Calls `visit` for each recording of the test set, in its order.
  void WalkTestSet(const Visitor& visit) {
    for (size_t first = 0; first < test_.samples.size(); first += options_.evaluation_batch) {
      VisitBatch(first, std::min<size_t>(first + options_.evaluation_batch, test_.samples.size()), visit);
    }
  }

  void VisitBatch(size_t first, size_t last, const Visitor& visit) {
    Samples samples;
    for (size_t i = first; i < last; ++i) samples.push_back(&test_.samples[i]);
    const Batch batch = MakeBatch(samples, sizes_.features);
    const at::Tensor scores = Forward(batch);
    const at::Tensor losses = LossesOf(batch, scores).cpu();
    const at::Tensor values = scores.cpu().contiguous();
    for (size_t i = 0; i < samples.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      const auto count = static_cast<size_t>(batch.output_lengths[i] * sizes_.labels);
      const FrameScores own{absl::MakeConstSpan(values[at].data_ptr<float>(), count),
                            static_cast<size_t>(sizes_.labels)};
      visit(*samples[i], own, losses[at].item<double>());
    }
  }

  const SpeechTrainerOptions options_;
  const ConformerOptions sizes_;
  SpeechData train_;
  const SpeechData test_;
};

absl::StatusOr<int64_t> WidthOf(const SpeechData& train, const SpeechData& test) {
  if (train.samples.empty() && test.samples.empty()) {
    return absl::InvalidArgumentError("a trainer needs training data, test data or both; both are empty");
  }
  const SpeechData& some = train.samples.empty() ? test : train;
  for (const SpeechData* data : {&train, &test}) {
    for (const SpeechSample& sample : data->samples) {
      if (sample.features.width == some.width && sample.features.frames > 0) continue;
      return absl::InvalidArgumentError(absl::StrCat(sample.file, " has ", sample.features.frames, " frames of ",
                                                     sample.features.width, " features, expected a width of ",
                                                     some.width, "; load all data by the same rules"));
    }
  }
  return some.width;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpeechTrainer>> MakeSpeechTrainer(const SpeechTrainerOptions& options, SpeechData train,
                                                                 SpeechData test) {
  TW_ASSIGN_OR_RETURN(ConformerOptions sizes, ConformerNamed(options.model));
  TW_ASSIGN_OR_RETURN(sizes.features, WidthOf(train, test));
  sizes.labels = kSpeechLabels;
  sizes.dropout = options.dropout;
  sizes.checkpoint = options.checkpoint;
  TW_RETURN_IF_ERROR(CheckConformer(sizes));
  const auto make = [&](const std::shared_ptr<MatrixKeeper>& keeper) -> absl::StatusOr<std::shared_ptr<Conformer>> {
    return std::make_shared<Conformer>(keeper, sizes);
  };
  TW_ASSIGN_OR_RETURN(BuiltModule<Conformer> built, BuildModule<Conformer>(options, make));
  return CatchTorch("making a trainer", [&]() -> absl::StatusOr<std::unique_ptr<SpeechTrainer>> {
    return std::make_unique<ConformerTrainer>(options, sizes, std::move(built), std::move(train), std::move(test));
  });
}

}  // namespace thinwire
