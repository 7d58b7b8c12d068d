// Trains and evaluates image classifiers with LibTorch. No LibTorch in this header.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_TRAINER_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_TRAINER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "client/train/augment.h"
#include "client/train/dataset.h"
#include "client/train/trainer_options.h"

namespace thinwire {

struct TorchTrainerOptions : TrainerOptions {  // `model` is one of TorchModelNames()
  TorchTrainerOptions() {
    model = "cnn";
    evaluation_batch = 200;
  }
  AugmentRule augment = AugmentRule::kAuto;  // while training
};

// Names that `TorchTrainerOptions::model` may have, sorted:
//   mlp             two hidden layers of 200 (199,210 parameters on 28x28 and 10 classes)
//   cnn             two 5x5 convolutions, one hidden layer of 64 (114,314 parameters on 28x28 and 10 classes)
// and, with parameters counted on 3x32x32 and 10 classes:
//   cifar-cnn       six 3x3 convolutions with BatchNorm and dropout: 552,874 numbers, of which 551,722 are trained and
//                   1,152 are statistics of BatchNorm, besides its seven counters
//   resnet9         eight 3x3 convolutions and two residuals: 6,568,640 parameters
//   resnet9-narrow  the same with a quarter of the channels: 411,824 parameters
std::vector<std::string> TorchModelNames();

// Its training data can be replaced between calls: for a simulator, whose clients take turns at one model in memory.
class ImageTrainer : public Trainer {
 public:
  // Afterwards it is as if it had been made with `train`: moments that an optimiser kept are gone. INVALID_ARGUMENT if
  // `train` is empty, or of another shape or number of classes than the data that it was made with.
  virtual absl::Status SetTrainingData(Dataset train) = 0;
};

// A trainer whose model fits the data: `train` for the role of trainer, `test` for the role of evaluator; either may be
// empty, if not both. Inputs are scaled to [0, 1], then by the data's channel scales; the loss is cross entropy.
//
// Its model lists the parameters, then the buffers, each in the order and by the names of PyTorch's named_parameters
// and named_buffers. Initialize gives the same weights with every LibTorch. Train on the CPU with one thread gives the
// same bits for the same request and state; momentum starts at zero in each call, Adam's moments too unless
// `keep_state` is set (they are dropped by a failed call). Train weighs the client by the size of its data set. A loss
// or weight that is not finite is INVALID_ARGUMENT and names the step and the learning rate; running out of memory is
// RESOURCE_EXHAUSTED; Evaluate without test data is FAILED_PRECONDITION.
//
// INVALID_ARGUMENT, naming value and choices, if model, device or data make no sense; FAILED_PRECONDITION if this
// LibTorch lacks the device.
absl::StatusOr<std::unique_ptr<ImageTrainer>> MakeTorchTrainer(const TorchTrainerOptions& options, Dataset train,
                                                               Dataset test);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_TRAINER_H_
