// Trains and evaluates small transformers on text, with LibTorch: classifiers of sentences and language models of
// characters. No LibTorch in this header.
#ifndef THINWIRE_CLIENT_TRAIN_TEXT_TRAINER_H_
#define THINWIRE_CLIENT_TRAIN_TEXT_TRAINER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "client/text/text_data.h"
#include "client/train/trainer_options.h"

namespace thinwire {

struct TextTrainerOptions : TrainerOptions {  // `model` is one of TextModelNames()
  TextTrainerOptions() {
    model = "transformer-xs";
    evaluation_batch = 64;
  }
  double dropout = 0.1;
};

// Its training data can be replaced between calls: for a simulator, whose clients take turns at one model in memory.
class TextTrainer : public Trainer {
 public:
  // Afterwards it is as if it had been made with `train`: moments that an optimiser kept are gone. INVALID_ARGUMENT if
  // `train` is empty, or of another kind or vocabulary than the data that it was made with.
  virtual absl::Status SetTrainingData(TextData train) = 0;
};

// A trainer whose model fits the data, a classifier for sentences and a language model for characters: `train` for the
// role of trainer, `test` for the role of evaluator; either may be without samples, if not both. The loss is cross
// entropy in nats, for each sentence or each character predicted; accuracy is the share of sentences or characters
// whose most probable label or character is right. A language model's perplexity is exp(loss).
//
// Its model's table of symbols has the data's name, so that models of another vocabulary are refused by name. Else as
// MakeTorchTrainer says of image classifiers: order and names of the model's tensors, weights from seeds, same bits for
// the same request, momentum and moments, errors.
absl::StatusOr<std::unique_ptr<TextTrainer>> MakeTextTrainer(const TextTrainerOptions& options, TextData train,
                                                             TextData test);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TEXT_TRAINER_H_
