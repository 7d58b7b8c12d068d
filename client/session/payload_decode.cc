#include "client/session/payload_decode.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status CheckFrozen(const ModelSpec& spec, const PayloadReader* frozen) {
  if (frozen != nullptr) return absl::OkStatus();
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.role != TensorRole::kFrozen) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", tensor.name, "' is frozen, but the assignment names no payload of frozen tensors"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DecodeModel(const PayloadReader& model, const PayloadReader* frozen, ModelState* state) {
  TW_RETURN_IF_ERROR(CheckFrozen(state->spec, frozen));
  ModelSource source(state->spec, model, frozen, SegmentCheck::kHash);
  return ReadModel(source, state);
}

absl::Status CheckModel(const PayloadReader& model, const PayloadReader* frozen, const ModelSpec& spec) {
  TW_RETURN_IF_ERROR(CheckFrozen(spec, frozen));
  std::string segment;
  for (const PayloadReader* reader : {&model, frozen}) {
    if (reader == nullptr) continue;
    for (size_t i = 0; i < reader->manifest().segments.size(); ++i) {
      TW_RETURN_IF_ERROR(reader->ReadSegment(i, &segment));
    }
  }
  return absl::OkStatus();
}

}  // namespace thinwire
