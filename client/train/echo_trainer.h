// A trainer that learns nothing: it returns what it got plus seeded noise. For measuring communication without
// LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_ECHO_TRAINER_H_
#define THINWIRE_CLIENT_TRAIN_ECHO_TRAINER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

struct EchoOptions {
  // Size of the model that Initialize makes: ten tensors of equal size (the first few one value larger if ten does not
  // divide it). Ignored if `spec` is given.
  uint64_t parameters = 1'000'000;
  std::optional<ModelSpec> spec;
  // What it says its data set holds: the update's weight.
  uint64_t examples = 1;
};

// INVALID_ARGUMENT, naming value and limit, if the model would be empty or too large or there are no examples.
//
// The trainer takes any model, so model() is empty unless a spec was given. Initialize fills float tensors with uniform
// values in [-0.05, 0.05) and integer tensors with 0. Train adds learning_rate * u, u uniform in [-1, 1) by seed,
// tensor and element, to every trainable value, once, whatever the epochs and steps; at learning rate 0 the state keeps
// its bits. Its loss is 0. Evaluate's loss is the root mean square of the trainable values, so that drift can be seen.
absl::StatusOr<std::unique_ptr<Trainer>> MakeEchoTrainer(const EchoOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_ECHO_TRAINER_H_
