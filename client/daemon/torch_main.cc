// thinwire-client with LibTorch in it; thinwire-client starts it for every task but echo.
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/daemon/client_program.h"
#include "client/daemon/torch_tasks.h"
#include "client/train/local_data.h"
#include "client/train/local_speech.h"
#include "client/train/local_text.h"
#include "client/train/speech_trainer.h"
#include "client/train/text_trainer.h"
#include "client/train/torch_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status NameFlag(const char* flag, const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
}

// The value that Parse makes of a flag's text.
template <typename Value, typename Parse>
absl::Status ReadFlag(const char* flag, const std::string& text, Parse parse, Value* out) {
  const absl::StatusOr<Value> value = parse(text);
  TW_RETURN_IF_ERROR(NameFlag(flag, value.status()));
  *out = *value;
  return absl::OkStatus();
}

// Options of a partition, which all tasks name alike.
template <typename Options>
absl::StatusOr<Options> DealOptions(const TorchTaskFlags& flags) {
  Options options;
  options.seed = flags.seed;
  options.samples = flags.samples;
  TW_RETURN_IF_ERROR(ReadFlag("--partition", flags.partition, PartitionRule::Parse, &options.rule));
  TW_RETURN_IF_ERROR(ReadFlag("--shard", flags.shard, Shard::Parse, &options.shard));
  return options;
}

// And of a trainer.
template <typename Options>
absl::StatusOr<Options> TrainerOptionsOf(const TorchTaskFlags& flags) {
  Options options;
  options.model = flags.model;
  options.device = flags.device;
  options.threads = static_cast<int>(flags.threads);
  TW_RETURN_IF_ERROR(ReadFlag("--weights", flags.weights, WeightsRule::Parse, &options.weights));
  return options;
}

absl::StatusOr<Dataset> LoadShard(const ClassifyFlags& flags) {
  TW_ASSIGN_OR_RETURN(LocalDataOptions options, DealOptions<LocalDataOptions>(flags));
  options.folder = flags.data;
  return LoadTrainingShard(options);
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeClassifier(const ClientFlags& client, const ClassifyFlags& flags) {
  TW_ASSIGN_OR_RETURN(TorchTrainerOptions options, TrainerOptionsOf<TorchTrainerOptions>(flags));
  TW_RETURN_IF_ERROR(ReadFlag("--augment", flags.augment, ParseAugmentRule, &options.augment));
  Dataset train, test;
  if (client.role == "evaluator") {
    TW_ASSIGN_OR_RETURN(test, LoadTestSet(flags.data));
  } else {
    TW_ASSIGN_OR_RETURN(train, LoadShard(flags));
  }
  return MakeTorchTrainer(options, std::move(train), std::move(test));
}

// What the role needs; says on stderr which recordings were skipped.
absl::StatusOr<SpeechData> LoadRecordings(const ClientFlags& client, const SpeechFlags& flags) {
  TW_ASSIGN_OR_RETURN(LocalSpeechOptions options, DealOptions<LocalSpeechOptions>(flags));
  options.index = flags.data;
  options.folder = flags.audio;
  options.rules.audio.sample_rate = static_cast<uint32_t>(flags.sample_rate);
  options.rules.mel.filters = static_cast<uint32_t>(flags.mel);
  options.rules.stack = static_cast<uint32_t>(flags.stack);
  TW_ASSIGN_OR_RETURN(SpeechData data,
                      client.role == "evaluator" ? LoadSpeechTestSet(options) : LoadSpeechShard(options));
  const std::string skipped = data.skipped.ToText(data.samples.size() + data.skipped.count);
  if (!skipped.empty()) std::cerr << "thinwire-client: " << skipped << "\n";
  return data;
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeRecognizer(const ClientFlags& client, const SpeechFlags& flags) {
  TW_ASSIGN_OR_RETURN(SpeechTrainerOptions options, TrainerOptionsOf<SpeechTrainerOptions>(flags));
  SpeechData train, test;
  SpeechData& used = client.role == "evaluator" ? test : train;
  TW_ASSIGN_OR_RETURN(used, LoadRecordings(client, flags));
  options.dropout = static_cast<double>(flags.dropout_percent) / 100;
  options.augment = !flags.no_masks;
  options.checkpoint = flags.checkpoint;
  return MakeSpeechTrainer(options, std::move(train), std::move(test));
}

// What the role needs; says on stderr which lines were skipped.
absl::StatusOr<TextData> LoadTexts(const ClientFlags& client, const TextFlags& flags) {
  TW_ASSIGN_OR_RETURN(LocalTextOptions options, DealOptions<LocalTextOptions>(flags));
  options.data = flags.data;
  options.vocabulary = flags.vocabulary;
  options.words = flags.words;
  options.test_set = flags.test_set;
  options.test_samples = flags.test_samples;
  TW_ASSIGN_OR_RETURN(TextData data, client.role == "evaluator" ? LoadTextTestSet(options) : LoadTextShard(options));
  const std::string skipped = data.skipped.ToText();
  if (!skipped.empty()) std::cerr << "thinwire-client: " << skipped << "\n";
  return data;
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeTextModelTrainer(const ClientFlags& client, const TextFlags& flags) {
  TW_ASSIGN_OR_RETURN(TextTrainerOptions options, TrainerOptionsOf<TextTrainerOptions>(flags));
  TextData train, test;
  TextData& used = client.role == "evaluator" ? test : train;
  TW_ASSIGN_OR_RETURN(used, LoadTexts(client, flags));
  options.dropout = static_cast<double>(flags.dropout_percent) / 100;
  return MakeTextTrainer(options, std::move(train), std::move(test));
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  thinwire::ClientProgram program;
  program.tasks = {thinwire::ClassifyTask(thinwire::MakeClassifier), thinwire::SpeechTask(thinwire::MakeRecognizer),
                   thinwire::TextTask(thinwire::MakeTextModelTrainer)};
  return thinwire::RunClientProgram(std::vector<std::string>(argv + 1, argv + argc), std::move(program));
}
