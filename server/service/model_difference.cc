#include "server/service/model_difference.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace thinwire {
namespace {

const char* Name(DataType dtype) { return dtype == DataType::kFloat32 ? "f32" : "i64"; }

const char* Name(TensorRole role) {
  return role == TensorRole::kTrainable ? "trainable" : role == TensorRole::kBuffer ? "buffer" : "frozen";
}

std::string Describe(const ModelSpec& spec, size_t index) {
  if (index >= spec.tensors().size()) return "nothing";
  const TensorSpec& tensor = spec.tensors()[index];
  return absl::StrCat("'", tensor.name, " ", Name(tensor.dtype), " ", Name(tensor.role), " [",
                      absl::StrJoin(tensor.shape, ","), "]'");
}

}  // namespace

std::string FirstDifference(const ModelSpec& here, const ModelSpec& there) {
  const size_t count = std::max(here.tensors().size(), there.tensors().size());
  for (size_t i = 0; i < count; ++i) {
    const std::string mine = Describe(here, i);
    const std::string other = Describe(there, i);
    if (mine != other) return absl::StrCat("tensor ", i, ": ", mine, " here, ", other, " there");
  }
  return "";
}

}  // namespace thinwire
