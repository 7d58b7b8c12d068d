// Trains and evaluates speech recognisers, Conformers with CTC, with LibTorch. No LibTorch in this header.
#ifndef THINWIRE_CLIENT_TRAIN_SPEECH_TRAINER_H_
#define THINWIRE_CLIENT_TRAIN_SPEECH_TRAINER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "client/speech/error_rate.h"
#include "client/speech/features.h"
#include "client/speech/speech_data.h"
#include "client/train/conformer_options.h"
#include "client/train/trainer_options.h"

namespace thinwire {

struct SpeechTrainerOptions : TrainerOptions {  // `model` is one of ConformerNames()
  SpeechTrainerOptions() {
    model = "conformer-xs";
    evaluation_batch = 32;
  }
  double dropout = 0.1;
  bool augment = true;  // mask features while training, by `masks`
  MaskRule masks;
  bool checkpoint = false;  // less memory for activations, at the price of one more forward pass
};

// What a model writes for one recording of the test set.
struct Transcription {
  std::string file, speaker;
  std::string reference, hypothesis;
  ErrorCount words, characters;
};

// Its training data can be replaced between calls: for a simulator, whose clients take turns at one model in memory.
class SpeechTrainer : public Trainer {
 public:
  // Afterwards it is as if it had been made with `train`: moments that an optimiser kept are gone. INVALID_ARGUMENT if
  // `train` is empty, or its features are of another width than those that it was made with.
  virtual absl::Status SetTrainingData(SpeechData train) = 0;
  // In the order of the test set. beam 1 is greedy decoding, as Evaluate's.
  virtual absl::StatusOr<std::vector<Transcription>> Transcribe(const ModelState& state, size_t beam) = 0;
};

// A trainer for features of the data's width: `train` for the role of trainer, `test` for the role of evaluator; either
// may be without samples, if not both. The loss is CTC's, in nats per utterance. Evaluate's accuracy is 1 - word error
// rate, and 0 where there are more errors than words.
//
// Else as MakeTorchTrainer says of image classifiers: order and names of the model's tensors, weights from seeds, same
// bits for the same request, momentum and moments, errors.
absl::StatusOr<std::unique_ptr<SpeechTrainer>> MakeSpeechTrainer(const SpeechTrainerOptions& options, SpeechData train,
                                                                 SpeechData test);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_SPEECH_TRAINER_H_
