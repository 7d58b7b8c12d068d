#include "client/train/model_init.h"

#include <cmath>
#include <cstddef>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

// The bounds of weights, and under their bias' names again.
std::map<std::string, double> Bounds(const ModelSpec& spec) {
  std::map<std::string, double> bounds;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.role != TensorRole::kTrainable || tensor.shape.size() < 2 || tensor.count() == 0) continue;
    const uint64_t fan_in = tensor.count() / static_cast<uint64_t>(tensor.shape[0]);
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    bounds[tensor.name] = bound;
    absl::string_view layer = tensor.name;
    if (absl::ConsumeSuffix(&layer, ".weight")) bounds[absl::StrCat(layer, ".bias")] = bound;
  }
  return bounds;
}

}  // namespace

void InitializeWeights(uint64_t seed, ModelState* state) {
  const std::map<std::string, double> bounds = Bounds(state->spec);
  for (size_t i = 0; i < state->floats.size(); ++i) {
    const auto bound = bounds.find(state->spec.tensors()[i].name);
    if (bound == bounds.end()) continue;
    RandomStream random(DeriveKey({seed, KeyWord("initialize"), i}));
    for (float& value : state->floats[i]) {
      value = static_cast<float>(bound->second * (2 * random.NextDouble() - 1));
    }
  }
}

}  // namespace thinwire
