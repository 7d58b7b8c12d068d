#include "common/tensor/model_spec.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

const char* DataTypeName(DataType dtype) { return dtype == DataType::kInt64 ? "i64" : "f32"; }

const char* RoleName(TensorRole role) {
  switch (role) {
    case TensorRole::kTrainable:
      return "trainable";
    case TensorRole::kBuffer:
      return "buffer";
    case TensorRole::kFrozen:
      return "frozen";
  }
  return "?";
}

absl::Status CheckName(const std::string& name) {
  if (name.empty() || name.size() > ModelSpec::kMaxNameLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor's name has 1 to ", ModelSpec::kMaxNameLength, " characters, got ", name.size()));
  }
  for (const char c : name) {
    if (c <= ' ' || c > '~') {
      return absl::InvalidArgumentError("a tensor's name is printable ASCII without spaces");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const TensorSpec& tensor) {
  if (tensor.shape.size() > ModelSpec::kMaxDimensions) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name, "' has ", tensor.shape.size(),
                                                   " dimensions, at most ", ModelSpec::kMaxDimensions));
  }
  uint64_t count = 1;
  for (const int64_t size : tensor.shape) {
    const bool too_many = size > 0 && count > ModelSpec::kMaxValues / static_cast<uint64_t>(size);
    if (size < 0 || too_many) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name, "' has shape [",
                                                     absl::StrJoin(tensor.shape, ","), "], sizes are >= 0 and at most ",
                                                     ModelSpec::kMaxValues, " values in all"));
    }
    count *= static_cast<uint64_t>(size);
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const TensorSpec& tensor) {
  const bool known_type = tensor.dtype == DataType::kFloat32 || tensor.dtype == DataType::kInt64;
  const bool known_role =
      tensor.role == TensorRole::kTrainable || tensor.role == TensorRole::kBuffer || tensor.role == TensorRole::kFrozen;
  if (!known_type || !known_role) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name, "' has an unknown data type or role"));
  }
  if (tensor.dtype == DataType::kInt64 && tensor.role == TensorRole::kTrainable) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", tensor.name, "' is int64 and trainable; make it a buffer or frozen"));
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t TensorSpec::count() const {
  uint64_t count = 1;
  for (const int64_t size : shape) count *= static_cast<uint64_t>(size);
  return count;
}

absl::StatusOr<ModelSpec> ModelSpec::Create(std::vector<TensorSpec> tensors) {
  if (tensors.empty() || tensors.size() > kMaxTensors) {
    return absl::InvalidArgumentError(absl::StrCat("a model has 1 to ", kMaxTensors, " tensors, got ", tensors.size()));
  }
  std::set<std::string> names;
  std::string canonical;
  uint64_t total = 0;
  for (const TensorSpec& tensor : tensors) {
    TW_RETURN_IF_ERROR(CheckName(tensor.name));
    TW_RETURN_IF_ERROR(CheckShape(tensor));
    TW_RETURN_IF_ERROR(CheckKind(tensor));
    if (!names.insert(tensor.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("two tensors are named '", tensor.name, "'"));
    }
    total += tensor.count();
    absl::StrAppend(&canonical, tensor.name, " ", DataTypeName(tensor.dtype), " ", RoleName(tensor.role), " ",
                    absl::StrJoin(tensor.shape, ","), "\n");
  }
  if (total > kMaxValues) {
    return absl::InvalidArgumentError(absl::StrCat("the model has ", total, " values, at most ", kMaxValues));
  }
  ModelSpec spec;
  spec.tensors_ = std::move(tensors);
  spec.id_ = Sha256(canonical);
  return spec;
}

uint64_t ModelSpec::count(TensorRole role) const {
  uint64_t total = 0;
  for (const TensorSpec& tensor : tensors_) total += tensor.role == role ? tensor.count() : 0;
  return total;
}

uint64_t ModelSpec::total_count() const {
  return count(TensorRole::kTrainable) + count(TensorRole::kBuffer) + count(TensorRole::kFrozen);
}

}  // namespace thinwire
