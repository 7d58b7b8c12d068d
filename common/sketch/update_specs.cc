#include "common/sketch/update_specs.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "common/codec/sparse_codec.h"

namespace thinwire {
namespace {

absl::StatusOr<ModelSpec> Make(const ExchangePlan& plan, const ModelSpec& model) {
  std::vector<TensorSpec> tensors;
  if (plan.sketch.has_value()) {
    tensors.push_back({"thinwire.sketch",
                       {static_cast<int64_t>(plan.sketch->rows), static_cast<int64_t>(plan.sketch->columns)},
                       DataType::kFloat32,
                       TensorRole::kTrainable});
  } else {
    tensors.push_back(EntriesTensor(plan.top_k, model.count(TensorRole::kTrainable)));
  }
  for (const TensorSpec& tensor : model.tensors()) {
    if (tensor.role == TensorRole::kBuffer) tensors.push_back(tensor);
  }
  return ModelSpec::Create(std::move(tensors));
}

}  // namespace

ModelSpec ReducedUpdateSpec(const ExchangePlan& plan, const ModelSpec& model) { return *Make(plan, model); }

std::vector<uint32_t> TensorsOfReducedUpdate(const ModelSpec& model) {
  std::vector<uint32_t> tensors = {0};
  for (uint32_t i = 0; i < model.tensors().size(); ++i) {
    if (model.tensors()[i].role == TensorRole::kBuffer) tensors.push_back(i);
  }
  return tensors;
}

absl::Status CheckReducedUpdateFits(const ExchangePlan& plan, const ModelSpec& model) {
  TW_RETURN_IF_ERROR(plan.CheckFits(model));
  return SendsReducedUpdates(plan) ? Make(plan, model).status() : absl::OkStatus();
}

}  // namespace thinwire
