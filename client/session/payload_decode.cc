#include "client/session/payload_decode.h"

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status DecodeTensor(const PayloadReader& reader, uint32_t tensor, ModelState* state) {
  const TensorSpec& spec = state->spec.tensors()[tensor];
  const uint64_t count = spec.count();
  for (uint64_t block = 0; block < BlockCount(count); ++block) {
    const size_t segment = reader.SegmentIndex(tensor, block);
    const uint64_t first = block * kBlockValues;
    const uint32_t size = BlockSize(count, block);
    if (spec.dtype == DataType::kFloat32) {
      TW_RETURN_IF_ERROR(reader.DecodeFloats(segment, absl::MakeSpan(state->floats[tensor].data() + first, size)));
    } else {
      TW_RETURN_IF_ERROR(reader.DecodeInts(segment, absl::MakeSpan(state->ints[tensor].data() + first, size)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DecodeModel(const PayloadReader& model, const PayloadReader* frozen, ModelState* state) {
  for (uint32_t tensor = 0; tensor < state->spec.tensors().size(); ++tensor) {
    const TensorSpec& spec = state->spec.tensors()[tensor];
    const PayloadReader* reader = spec.role == TensorRole::kFrozen ? frozen : &model;
    if (reader == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", spec.name, "' is frozen, but the assignment names no payload of frozen tensors"));
    }
    TW_RETURN_IF_ERROR(DecodeTensor(*reader, tensor, state));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
