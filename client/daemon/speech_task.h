// --task speech: recordings to text, with LibTorch. Its flags are read twice, as classify_task.h says.
#ifndef THINWIRE_CLIENT_DAEMON_SPEECH_TASK_H_
#define THINWIRE_CLIENT_DAEMON_SPEECH_TASK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/daemon/client_task.h"

namespace thinwire {

struct SpeechFlags {
  std::string model = "conformer-xs";
  std::string data = "index.tsv";
  std::string audio;
  std::string partition = "iid";
  std::string shard = "0/1";
  uint64_t samples = 0;
  uint64_t seed = 0;
  uint64_t sample_rate = 16000;
  uint64_t mel = 40;
  uint64_t stack = 1;
  bool no_masks = false;
  uint64_t dropout_percent = 10;
  std::string weights = "full";
  bool checkpoint = false;
  std::string device = "cpu";
  uint64_t threads = 1;
};

// Errors are the user's: wrong data, model or device.
using RecognizerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&, const SpeechFlags&)>;

ClientTask SpeechTask(const RecognizerFactory& make_recognizer);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_SPEECH_TASK_H_
