#include "client/session/payload_decode.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status NoFrozenPayload(const TensorSpec& spec) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor '", spec.name, "' is frozen, but the assignment names no payload of frozen tensors"));
}

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
    if (reader == nullptr) return NoFrozenPayload(spec);
    TW_RETURN_IF_ERROR(DecodeTensor(*reader, tensor, state));
  }
  return absl::OkStatus();
}

absl::Status CheckModel(const PayloadReader& model, const PayloadReader* frozen, const ModelSpec& spec) {
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.role == TensorRole::kFrozen && frozen == nullptr) return NoFrozenPayload(tensor);
  }
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
