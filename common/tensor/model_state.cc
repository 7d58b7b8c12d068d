#include "common/tensor/model_state.h"

#include "common/base/status_macros.h"

namespace thinwire {

absl::Status ReadModel(BlockSource& source, ModelState* state) {
  for (uint32_t tensor = 0; tensor < state->spec.tensors().size(); ++tensor) {
    const TensorSpec& spec = state->spec.tensors()[tensor];
    const uint64_t count = spec.count();
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      const uint64_t first = block * kBlockValues;
      const size_t size = BlockSize(count, block);
      if (spec.dtype == DataType::kFloat32) {
        auto values = absl::MakeSpan(state->floats[tensor]).subspan(first, size);
        TW_RETURN_IF_ERROR(source.ReadFloats(tensor, first, values));
      } else {
        auto values = absl::MakeSpan(state->ints[tensor]).subspan(first, size);
        TW_RETURN_IF_ERROR(source.ReadInts(tensor, first, values));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace thinwire
