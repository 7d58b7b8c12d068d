#include "common/sketch/update_specs.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"
#include "common/subspace/trainable_vector.h"

namespace thinwire {
namespace {

TensorSpec FirstTensor(const ExchangePlan& plan, const ModelSpec& model) {
  if (!plan.sketch.has_value()) return EntriesTensor(plan.top_k, model.count(TensorRole::kTrainable));
  return {"thinwire.sketch",
          {static_cast<int64_t>(plan.sketch->rows), static_cast<int64_t>(plan.sketch->columns)},
          DataType::kFloat32,
          TensorRole::kTrainable};
}

absl::StatusOr<ModelSpec> WithBuffers(TensorSpec first, const ModelSpec& model) {
  std::vector<TensorSpec> tensors = {std::move(first)};
  for (const TensorSpec& tensor : model.tensors()) {
    if (tensor.role == TensorRole::kBuffer) tensors.push_back(tensor);
  }
  return ModelSpec::Create(std::move(tensors));
}

// Values of all buffers of a type.
uint64_t BufferValues(const ModelSpec& model, DataType dtype) {
  return TensorVector(model, TensorRole::kBuffer, dtype).size();
}

ModelSpec CodedUpdateSpec(const ModelSpec& model) {
  std::vector<TensorSpec> tensors = {UpdateTensorSpec(model.count(TensorRole::kTrainable))};
  const uint64_t floats = BufferValues(model, DataType::kFloat32), counts = BufferValues(model, DataType::kInt64);
  if (floats > 0) tensors.push_back(BufferDifferencesSpec(floats));
  if (counts > 0) tensors.push_back(CountDifferencesSpec(counts));
  return *ModelSpec::Create(std::move(tensors));
}

}  // namespace

ModelSpec ReducedUpdateSpec(const ExchangePlan& plan, const ModelSpec& model) {
  if (plan.update.has_value()) return CodedUpdateSpec(model);
  return *WithBuffers(FirstTensor(plan, model), model);
}

ModelSpec ChangesSpec(const ModelSpec& model, uint64_t count) {
  return *WithBuffers(EntriesTensor(count, model.count(TensorRole::kTrainable)), model);
}

std::vector<uint32_t> TensorsOfReducedUpdate(const ModelSpec& model) {
  std::vector<uint32_t> tensors = {0};
  for (uint32_t i = 0; i < model.tensors().size(); ++i) {
    if (model.tensors()[i].role == TensorRole::kBuffer) tensors.push_back(i);
  }
  return tensors;
}

absl::Status CheckReducedUpdateFits(const ExchangePlan& plan, const ModelSpec& model) {
  TW_RETURN_IF_ERROR(plan.CheckFits(model));
  if (!SendsReducedUpdates(plan) || plan.update.has_value()) return absl::OkStatus();
  TW_RETURN_IF_ERROR(WithBuffers(EntriesTensor(0, model.count(TensorRole::kTrainable)), model).status());
  return WithBuffers(FirstTensor(plan, model), model).status();
}

}  // namespace thinwire
