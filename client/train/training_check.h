// What a trainer refuses to do: options come from the network.
#ifndef THINWIRE_CLIENT_TRAIN_TRAINING_CHECK_H_
#define THINWIRE_CLIENT_TRAIN_TRAINING_CHECK_H_

#include <string>

#include "absl/status/status.h"
#include "client/session/trainer.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

constexpr uint32_t kMaxBatchSize = 1u << 20;

// INVALID_ARGUMENT naming the first field out of range, its value and the range.
absl::Status CheckTrainingOptions(const TrainingOptions& options);

// INVALID_ARGUMENT naming the first tensor in which a model received differs from the client's own.
absl::Status CheckSameModel(const ModelSpec& received, const ModelSpec& own, const std::string& own_name);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TRAINING_CHECK_H_
