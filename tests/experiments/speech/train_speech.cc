// train-speech: trains a recogniser on one machine, without a federation, and writes it as safetensors: what a
// federation starts from, and what its results are held against. A table on stdout: epoch, CPU seconds, losses of
// training and test set, word and character error rate. The same command gives the same model on the same LibTorch.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/daemon/command_line.h"
#include "client/train/local_speech.h"
#include "client/train/speech_trainer.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors.h"

namespace thinwire {
namespace {

struct Flags {
  std::string data, model = "conformer-xs", out, start, partition = "iid", shard = "0/1", without, transcripts;
  uint64_t epochs = 30, warm_up = 2, batch = 16, rate_millionths = 1500, decay_thousandths = 10, seed = 1, every = 5;
  uint64_t mel = 40, stack = 1, dropout_percent = 10, beam = 1;
  bool sgd = false, no_masks = false, help = false;
};

std::vector<CommandLineFlag> FlagsOf(Flags* flags) {
  return {{"--data", "FILE", &flags->data, "tab-separated index of recordings (required)"},
          {"--model", "NAME", &flags->model, "conformer-xs, -s, -m or -l"},
          {"--out", "FILE", &flags->out, "safetensors file for the trained model"},
          {"--start", "FILE", &flags->start, "safetensors file to start from instead of fresh weights"},
          {"--transcripts", "FILE", &flags->transcripts, "what the model writes for each test recording, as TSV"},
          {"--partition", "RULE", &flags->partition, "iid or speaker, for --shard"},
          {"--shard", "I/N", &flags->shard, "trains on this part of the training set only"},
          {"--without", "I/N", &flags->without, "trains on all but this part"},
          {"--epochs", "N", &flags->epochs, "over the training set; 0: only evaluates", 0, 10'000},
          {"--warm-up", "N", &flags->warm_up, "epochs in which the learning rate rises; then it falls as a cosine", 0,
           10'000},
          {"--batch", "N", &flags->batch, "recordings in a step", 1, 4096},
          {"--rate", "N", &flags->rate_millionths, "largest learning rate, in millionths", 1, 1'000'000},
          {"--sgd", "", &flags->sgd, "plain stochastic gradient descent instead of AdamW"},
          {"--decay", "N", &flags->decay_thousandths, "weight decay, in thousandths", 0, 1000},
          {"--seed", "N", &flags->seed, "of weights, order, dropout and masks"},
          {"--every", "N", &flags->every, "epochs between evaluations", 1, 10'000},
          {"--mel", "N", &flags->mel, "log-mel filters", 1, 1024},
          {"--stack", "N", &flags->stack, "frames joined into one", 1, 64},
          {"--dropout-percent", "N", &flags->dropout_percent, "of activations", 0, 99},
          {"--beam", "N", &flags->beam, "of the decoding in the rows and transcripts; 1: greedy", 1, 1000},
          {"--no-masks", "", &flags->no_masks, "trains without masks over time and frequency"},
          {"--help", "", &flags->help, "prints this"}};
}

// One shard, or all but one.
absl::StatusOr<SpeechData> LoadTrainingData(const Flags& flags, LocalSpeechOptions options) {
  TW_ASSIGN_OR_RETURN(options.shard, Shard::Parse(flags.shard));
  if (flags.without.empty()) return LoadSpeechShard(options);
  TW_ASSIGN_OR_RETURN(const Shard without, Shard::Parse(flags.without));
  SpeechData all;
  for (options.shard = {0, without.count}; options.shard.index < without.count; ++options.shard.index) {
    if (options.shard.index == without.index) continue;
    TW_ASSIGN_OR_RETURN(SpeechData part, LoadSpeechShard(options));
    all.width = part.width;
    std::move(part.samples.begin(), part.samples.end(), std::back_inserter(all.samples));
    all.skipped.Merge(part.skipped);
  }
  return all;
}

absl::StatusOr<std::unique_ptr<SpeechTrainer>> MakeTrainer(const Flags& flags) {
  LocalSpeechOptions data;
  data.index = flags.data;
  data.rules.mel.filters = static_cast<uint32_t>(flags.mel);
  data.rules.stack = static_cast<uint32_t>(flags.stack);
  TW_ASSIGN_OR_RETURN(data.rule, PartitionRule::Parse(flags.partition));
  TW_ASSIGN_OR_RETURN(SpeechData train, LoadTrainingData(flags, data));
  TW_ASSIGN_OR_RETURN(SpeechData test, LoadSpeechTestSet(data));
  for (const SpeechData* each : {&train, &test}) {
    const size_t all = each->samples.size() + each->skipped.count;
    std::cerr << (each == &train ? "training: " : "test: ") << each->samples.size() << " recordings "
              << each->skipped.ToText(all) << "\n";
  }
  SpeechTrainerOptions options;
  options.model = flags.model;
  options.augment = !flags.no_masks;
  options.dropout = static_cast<double>(flags.dropout_percent) / 100;
  return MakeSpeechTrainer(options, std::move(train), std::move(test));
}

// Rises for the first epochs, then falls to 0 as half a cosine; one value an epoch.
double RateOf(const Flags& flags, uint64_t epoch) {
  const double peak = static_cast<double>(flags.rate_millionths) / 1e6;
  if (epoch < flags.warm_up) return peak * (static_cast<double>(epoch) + 0.5) / static_cast<double>(flags.warm_up);
  const double span = static_cast<double>(flags.epochs - flags.warm_up);
  const double done = (static_cast<double>(epoch - flags.warm_up) + 0.5) / span;
  return peak * (0.5 + 0.5 * std::cos(3.14159265358979 * done));
}

TrainRequest RequestFor(const Flags& flags, uint64_t epoch) {
  TrainRequest request;
  request.round = static_cast<uint32_t>(epoch);
  request.seed = DeriveKey({flags.seed, epoch});
  request.options.batch_size = static_cast<uint32_t>(flags.batch);
  request.options.learning_rate = RateOf(flags, epoch);
  if (!flags.sgd) request.options.optimizer = TrainingOptions::Optimizer::kAdam;
  request.options.decoupled = true;
  request.options.keep_state = true;
  request.options.beta2 = 0.98;
  request.options.weight_decay = static_cast<double>(flags.decay_thousandths) / 1000;
  return request;
}

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

absl::Status Report(const Flags& flags, uint64_t epoch, double train_loss, const ModelState& state,
                    SpeechTrainer* trainer) {
  TW_ASSIGN_OR_RETURN(const EvaluateResult result, trainer->Evaluate(state));
  TW_ASSIGN_OR_RETURN(const std::vector<Transcription> all, trainer->Transcribe(state, flags.beam));
  ErrorCount words, characters;
  for (const Transcription& each : all) {
    words += each.words;
    characters += each.characters;
  }
  std::cout << absl::StrFormat("%d\t%.0f\t%.3f\t%.3f\t%.4f\t%.4f\n", epoch, CpuSeconds(), train_loss, result.loss,
                               words.rate(), characters.rate())
            << std::flush;
  return absl::OkStatus();
}

absl::StatusOr<ModelState> StartOf(const Flags& flags, SpeechTrainer* trainer) {
  TW_ASSIGN_OR_RETURN(ModelState state, trainer->Initialize(flags.seed));
  if (flags.start.empty()) return state;
  TW_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::Open(flags.start));
  if (reader.spec() != state.spec) {
    return absl::InvalidArgumentError(absl::StrCat(flags.start, " is not a ", flags.model, " for these features"));
  }
  for (uint32_t i = 0; i < state.floats.size(); ++i) {
    TW_RETURN_IF_ERROR(reader.ReadFloats(i, 0, absl::MakeSpan(state.floats[i])));
  }
  return state;
}

absl::Status WriteTranscripts(const Flags& flags, const ModelState& state, SpeechTrainer* trainer) {
  TW_ASSIGN_OR_RETURN(const std::vector<Transcription> all, trainer->Transcribe(state, flags.beam));
  std::string text = "file\tspeaker\twords\terrors\treference\thypothesis\n";
  for (const Transcription& each : all) {
    absl::StrAppend(&text, each.file, "\t", each.speaker, "\t", each.words.reference, "\t", each.words.errors(), "\t",
                    each.reference, "\t", each.hypothesis, "\n");
  }
  return WriteFileAtomically(flags.transcripts, text);
}

absl::Status Run(const Flags& flags) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<SpeechTrainer> trainer, MakeTrainer(flags));
  TW_ASSIGN_OR_RETURN(ModelState state, StartOf(flags, trainer.get()));
  std::cerr << flags.model << ": " << state.spec.total_count() << " parameters\n";
  std::cout << "epoch\tcpu_seconds\ttrain_loss\ttest_loss\twer\tcer\n" << std::flush;
  if (flags.epochs == 0) TW_RETURN_IF_ERROR(Report(flags, 0, 0, state, trainer.get()));
  for (uint64_t epoch = 0; epoch < flags.epochs; ++epoch) {
    TW_ASSIGN_OR_RETURN(const TrainResult result, trainer->Train(RequestFor(flags, epoch), &state));
    const bool last = epoch + 1 == flags.epochs;
    if (!last && (epoch + 1) % flags.every != 0) continue;
    TW_RETURN_IF_ERROR(Report(flags, epoch + 1, result.loss, state, trainer.get()));
  }
  if (!flags.transcripts.empty()) TW_RETURN_IF_ERROR(WriteTranscripts(flags, state, trainer.get()));
  if (flags.out.empty()) return absl::OkStatus();
  ModelStateSource source(state);
  return WriteSafetensors(flags.out, state.spec, source);
}

absl::Status Main(const std::vector<std::string>& arguments) {
  Flags flags;
  const std::string help = DescribeFlags(FlagsOf(&flags));
  TW_RETURN_IF_ERROR(ReadCommandLine(arguments, FlagsOf(&flags)));
  if (flags.help) {
    std::cout << "Usage: thinwire-train-speech --data FILE [flags]\n" << help;
    return absl::OkStatus();
  }
  if (flags.data.empty()) return RefuseFlag("--data FILE is missing: name an index of recordings");
  if (flags.epochs > 0 && flags.warm_up >= flags.epochs) {
    return RefuseFlag(absl::StrCat("--warm-up ", flags.warm_up, " of ", flags.epochs, " epochs; it must be less"));
  }
  return Run(flags);
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  const absl::Status status = thinwire::Main(std::vector<std::string>(argv + 1, argv + argc));
  if (!status.ok()) std::cerr << "thinwire-train-speech: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
