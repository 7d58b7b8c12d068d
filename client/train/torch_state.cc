#include "client/train/torch_state.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::StatusOr<TensorSpec> Describe(const std::string& name, const at::Tensor& tensor, TensorRole role) {
  TensorSpec spec;
  spec.name = name;
  spec.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
  spec.role = role;
  if (tensor.scalar_type() == at::kLong) {
    spec.dtype = DataType::kInt64;
  } else if (tensor.scalar_type() != at::kFloat) {
    return absl::UnimplementedError(absl::StrCat("tensor '", name, "' is of type ", c10::toString(tensor.scalar_type()),
                                                 "; models have float32 and int64 tensors only"));
  }
  return spec;
}

}  // namespace

absl::StatusOr<ModelSpec> SpecOf(const torch::nn::Module& module) {
  std::vector<TensorSpec> tensors;
  for (const auto& item : module.named_parameters()) {
    const TensorRole role = item.value().requires_grad() ? TensorRole::kTrainable : TensorRole::kFrozen;
    TW_ASSIGN_OR_RETURN(TensorSpec tensor, Describe(item.key(), item.value(), role));
    tensors.push_back(std::move(tensor));
  }
  for (const auto& item : module.named_buffers()) {
    TW_ASSIGN_OR_RETURN(TensorSpec tensor, Describe(item.key(), item.value(), TensorRole::kBuffer));
    tensors.push_back(std::move(tensor));
  }
  return ModelSpec::Create(std::move(tensors));
}

std::vector<at::Tensor> TensorsOf(const torch::nn::Module& module) {
  std::vector<at::Tensor> tensors = module.parameters();
  const std::vector<at::Tensor> buffers = module.buffers();
  tensors.insert(tensors.end(), buffers.begin(), buffers.end());
  return tensors;
}

}  // namespace thinwire
