#include "client/train/model_init.h"

#include <cmath>
#include <cstddef>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/rng.h"

namespace thinwire {

std::vector<double> InitialBounds(const ModelSpec& spec) {
  std::map<std::string, double> by_name;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.role != TensorRole::kTrainable || tensor.shape.size() < 2 || tensor.count() == 0) continue;
    const uint64_t fan_in = tensor.count() / static_cast<uint64_t>(tensor.shape[0]);
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    by_name[tensor.name] = bound;
    absl::string_view layer = tensor.name;
    if (absl::ConsumeSuffix(&layer, ".weight")) by_name[absl::StrCat(layer, ".bias")] = bound;
  }
  std::vector<double> bounds;
  for (const TensorSpec& tensor : spec.tensors()) {
    const auto bound = by_name.find(tensor.name);
    bounds.push_back(bound == by_name.end() ? 0 : bound->second);
  }
  return bounds;
}

absl::Status FreshWeights::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  const double bound = bounds_[tensor];
  if (bound == 0) return others_->ReadFloats(tensor, first, out);
  constexpr uint64_t kNumbersEach = 2;  // of 32 bits, for a double
  RandomStream random(DeriveKey({seed_, KeyWord("initialize"), tensor}), first * kNumbersEach);
  for (float& value : out) value = static_cast<float>(bound * (2 * random.NextDouble() - 1));
  return absl::OkStatus();
}

absl::Status FreshWeights::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return others_->ReadInts(tensor, first, out);
}

}  // namespace thinwire
