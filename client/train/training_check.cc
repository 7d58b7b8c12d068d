#include "client/train/training_check.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// The comparison is written so that NaN fails it.
absl::Status CheckRange(const char* field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("training.", field, " is ", value, ", it must lie in [", low, ", ", high, "]"));
}

std::string Describe(const TensorSpec& tensor) {
  return absl::StrCat("'", tensor.name, "' [", absl::StrJoin(tensor.shape, ","), "]",
                      tensor.dtype == DataType::kInt64 ? " int64" : " float32");
}

}  // namespace

absl::Status CheckTrainingOptions(const TrainingOptions& options) {
  constexpr double kBelowOne = 1 - DBL_EPSILON;
  if (options.local_epochs == 0 && options.local_steps == 0) {
    return absl::InvalidArgumentError("training.local_epochs and training.local_steps are both 0; set one of them");
  }
  if (options.batch_size == 0 || options.batch_size > kMaxBatchSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("training.batch_size is ", options.batch_size, ", it must lie in [1, ", kMaxBatchSize, "]"));
  }
  TW_RETURN_IF_ERROR(CheckRange("learning_rate", options.learning_rate, 0, FLT_MAX));
  TW_RETURN_IF_ERROR(CheckRange("momentum", options.momentum, 0, kBelowOne));
  TW_RETURN_IF_ERROR(CheckRange("weight_decay", options.weight_decay, 0, FLT_MAX));
  TW_RETURN_IF_ERROR(CheckRange("beta1", options.beta1, 0, kBelowOne));
  TW_RETURN_IF_ERROR(CheckRange("beta2", options.beta2, 0, kBelowOne));
  TW_RETURN_IF_ERROR(CheckRange("epsilon", options.epsilon, 0, FLT_MAX));
  return CheckRange("proximal_mu", options.proximal_mu, 0, FLT_MAX);
}

absl::Status CheckSameModel(const ModelSpec& received, const ModelSpec& own, const std::string& own_name) {
  if (received == own) return absl::OkStatus();
  const auto& theirs = received.tensors();
  const auto& ours = own.tensors();
  const std::string model = absl::StrCat("the model received is not this client's '", own_name, "': ");
  const std::string way_out = "; start the client with the federation's model and with data of the same shape";
  for (size_t i = 0; i < std::min(theirs.size(), ours.size()); ++i) {
    const bool same = theirs[i].name == ours[i].name && theirs[i].shape == ours[i].shape &&
                      theirs[i].dtype == ours[i].dtype && theirs[i].role == ours[i].role;
    if (same) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(model, "tensor ", i, " is ", Describe(theirs[i]), ", here it is ", Describe(ours[i]), way_out));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(model, "it has ", theirs.size(), " tensors, here are ", ours.size(), way_out));
}

}  // namespace thinwire
