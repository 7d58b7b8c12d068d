#include "client/train/initial_values.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "client/train/torch_state.h"

namespace thinwire {
namespace {

template <typename T>
absl::Status CopyPart(const at::Tensor& values, uint64_t first, absl::Span<T> out) {
  const T* const from = values.data_ptr<T>() + first;
  std::copy(from, from + out.size(), out.begin());
  return absl::OkStatus();
}

}  // namespace

InitialValues::InitialValues(const torch::nn::Module& module, const ModelSpec& spec) : bounds_(InitialBounds(spec)) {
  const std::vector<at::Tensor> tensors = TensorsOf(module);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const bool drawn = bounds_[i] > 0;
    kept_.push_back(drawn ? at::Tensor() : tensors[i].detach().cpu().clone().contiguous().view(-1));
  }
}

absl::Status InitialValues::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  return CopyPart(kept_[tensor], first, out);
}

absl::Status InitialValues::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return CopyPart(kept_[tensor], first, out);
}

}  // namespace thinwire
