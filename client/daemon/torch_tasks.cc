#include "client/daemon/torch_tasks.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/train/conformer_options.h"
#include "client/train/text_model_options.h"

namespace thinwire {
namespace {

// How the help speaks of a task's data.
struct Words {
  std::string models;
  std::string path;   // "DIR"
  std::string data;   // what lies there
  std::string items;  // "images"
  std::string rules;  // of a partition
};

std::vector<CommandLineFlag> SharedFlags(const Words& words, TorchTaskFlags* flags) {
  return {
      {"--model", "NAME", &flags->model, words.models},
      {"--data", words.path, &flags->data, words.data},
      {"--partition", "RULE", &flags->partition, absl::StrCat("how ", words.items, " are dealt out: ", words.rules)},
      {"--shard", "I/N", &flags->shard, "this client's part of the deal, 0/N to (N-1)/N"},
      {"--samples", "N", &flags->samples, absl::StrCat(words.items, " dealt out to all clients together; 0: all")},
      {"--seed", "N", &flags->seed, "of the deal; the same for all clients"},
      {"--weights", "RULE", &flags->weights,
       "in memory: full, or packed: in the plan's small floats (packed:nearest and packed:truncate for comparison)"},
      {"--device", "DEVICE", &flags->device, "cpu, cuda or cuda:N"},
      {"--threads", "N", &flags->threads, "computing threads; more than 1 may change results from run to run", 1, 1024},
  };
}

template <typename Flags, typename Factory>
ClientTask MakeTask(const std::shared_ptr<Flags>& flags, const Words& words, const Factory& make_trainer) {
  ClientTask task;
  task.flags = SharedFlags(words, flags.get());
  task.make_trainer = [flags, make_trainer](const ClientFlags& client) { return make_trainer(client, *flags); };
  return task;
}

}  // namespace

ClientTask ClassifyTask(const ClassifierFactory& make_classifier) {
  const auto flags = std::make_shared<ClassifyFlags>();
  const Words words = {"mlp or cnn; for CIFAR-10 also cifar-cnn, resnet9 or resnet9-narrow", "DIR",
                       "folder with four IDX files of the MNIST form, .gz or not, or with CIFAR-10's binary files",
                       "images", "iid, dirichlet:ALPHA, label:K"};
  ClientTask task = MakeTask(flags, words, make_classifier);
  task.name = "classify";
  task.help = "images, with LibTorch";
  task.flags.push_back({"--augment", "RULE", &flags->augment,
                        "while training: none, flip-crop, or auto: flip-crop for CIFAR-10, else none"});
  return task;
}

ClientTask SpeechTask(const RecognizerFactory& make_recognizer) {
  const auto flags = std::make_shared<SpeechFlags>();
  const Words words = {absl::StrJoin(ConformerNames(), ", "), "FILE",
                       "tab-separated index with columns file, speaker, transcript and split", "recordings",
                       "iid, or speaker: whole speakers"};
  ClientTask task = MakeTask(flags, words, make_recognizer);
  task.name = "speech";
  task.help = "recordings to text, with LibTorch";
  const std::vector<CommandLineFlag> own = {
      {"--audio", "DIR", &flags->audio, "folder that the index's file names are relative to; default: the index's own"},
      {"--sample-rate", "HZ", &flags->sample_rate, "of all recordings; others are skipped", 1, 1'000'000},
      {"--mel", "N", &flags->mel, "log-mel filters; the same for all clients", 1, 1024},
      {"--stack", "N", &flags->stack, "frames of 10 ms joined into one; the same for all clients", 1, 64},
      {"--no-masks", "", &flags->no_masks, "trains without masks over time and frequency"},
      {"--dropout-percent", "N", &flags->dropout_percent, "of activations, while training", 0, 99},
      {"--checkpoint", "", &flags->checkpoint, "computes blocks twice instead of keeping what is inside them"},
  };
  task.flags.insert(task.flags.end(), own.begin(), own.end());
  return task;
}

ClientTask TextTask(const TextTrainerFactory& make_trainer) {
  const auto flags = std::make_shared<TextFlags>();
  const Words words = {absl::StrJoin(TextModelNames(), ", "), "PATH",
                       "folder with train.tsv, dev.tsv and test.tsv (sentences), or with roles.jsonl, or a .jsonl file",
                       "texts", "sentences: iid, dirichlet:ALPHA, label:K; characters: iid, or speaker: whole roles"};
  ClientTask task = MakeTask(flags, words, make_trainer);
  task.name = "text";
  task.help = "labelled sentences, or the next character of what roles say, with LibTorch";
  const std::vector<CommandLineFlag> own = {
      {"--vocabulary", "FILE", &flags->vocabulary,
       "of sentences: one word a line, the same for all clients; default: made from train.tsv"},
      {"--words", "N", &flags->words,
       "of sentences: most words of a vocabulary that is made; the same for all clients"},
      {"--test-set", "NAME", &flags->test_set, "of sentences, as evaluator: dev or test"},
      {"--test-samples", "N", &flags->test_samples, "as evaluator: a random subset of the test set; 0: all"},
      {"--dropout-percent", "N", &flags->dropout_percent, "of activations, while training", 0, 99},
  };
  task.flags.insert(task.flags.end(), own.begin(), own.end());
  return task;
}

}  // namespace thinwire
