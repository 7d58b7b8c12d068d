// What an update that is coded whole says of a model's buffers (common/codec/buffer_frame.h): how they differ from
// those that the client started from.
#ifndef THINWIRE_COMMON_UPDATE_BUFFER_DIFFERENCES_H_
#define THINWIRE_COMMON_UPDATE_BUFFER_DIFFERENCES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/subspace/trainable_vector.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Where the values of the two tensors belong.
struct BufferVectors {
  explicit BufferVectors(const ModelSpec& model)
      : floats(model, TensorRole::kBuffer, DataType::kFloat32), counts(model, TensorRole::kBuffer, DataType::kInt64) {}
  TensorVector floats, counts;
};

// The buffers of a ReducedUpdateSpec, all of them in memory, as the server decodes them. Reads are of these tensors
// alone. Thread-compatible.
class BufferDifferences : public BlockSource {
 public:
  // Both sources give the buffers of `model`, by its tensors and whole blocks. INVALID_ARGUMENT, naming the tensor, for
  // NaN and infinity, of a difference too.
  static absl::StatusOr<BufferDifferences> Create(const ModelSpec& model, BlockSource& base, BlockSource& trained);

  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  BufferDifferences() = default;

  std::vector<float> floats_;
  std::vector<int64_t> counts_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_UPDATE_BUFFER_DIFFERENCES_H_
