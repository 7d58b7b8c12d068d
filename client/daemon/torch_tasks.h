// --task classify, images, --task speech, recordings to text, and --task text, labelled sentences or what roles of
// plays say: all with LibTorch. Their flags are read twice, by thinwire-client, which has no LibTorch, and by
// thinwire-client-torch, which it becomes.
#ifndef THINWIRE_CLIENT_DAEMON_TORCH_TASKS_H_
#define THINWIRE_CLIENT_DAEMON_TORCH_TASKS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/daemon/client_task.h"

namespace thinwire {

// What all have.
struct TorchTaskFlags {
  std::string model;
  std::string data;
  std::string partition = "iid";
  std::string shard = "0/1";
  uint64_t samples = 0;
  uint64_t seed = 0;
  std::string weights = "full";
  std::string device = "cpu";
  uint64_t threads = 1;
};

struct ClassifyFlags : TorchTaskFlags {
  ClassifyFlags() {
    model = "cnn";
    data = "/usr/share/datasets/fashion-mnist";
  }
  std::string augment = "auto";
};

struct SpeechFlags : TorchTaskFlags {
  SpeechFlags() {
    model = "conformer-xs";
    data = "index.tsv";
  }
  std::string audio;
  uint64_t sample_rate = 16000;
  uint64_t mel = 40;
  uint64_t stack = 1;
  bool no_masks = false;
  uint64_t dropout_percent = 10;
  bool checkpoint = false;
};

struct TextFlags : TorchTaskFlags {
  TextFlags() {
    model = "transformer-xs";
    data = ".";
  }
  std::string vocabulary;
  uint64_t words = 8000;
  std::string test_set = "dev";
  uint64_t test_samples = 0;
  uint64_t dropout_percent = 10;
};

// Errors are the user's: wrong data, model or device.
using ClassifierFactory =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&, const ClassifyFlags&)>;
using RecognizerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&, const SpeechFlags&)>;
using TextTrainerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&, const TextFlags&)>;

ClientTask ClassifyTask(const ClassifierFactory& make_classifier);
ClientTask SpeechTask(const RecognizerFactory& make_recognizer);
ClientTask TextTask(const TextTrainerFactory& make_trainer);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_TORCH_TASKS_H_
