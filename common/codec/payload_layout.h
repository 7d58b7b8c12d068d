// Which tensors a payload carries, and the limits of its parts.
#ifndef THINWIRE_COMMON_CODEC_PAYLOAD_LAYOUT_H_
#define THINWIRE_COMMON_CODEC_PAYLOAD_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Frozen tensors travel alone; trainable tensors and buffers travel together.
inline bool CarriesTensor(Representation representation, const TensorSpec& tensor) {
  return (representation == Representation::kFrozen) == (tensor.role == TensorRole::kFrozen);
}

// Segments in a payload of this model, or, with an update that is coded whole, at most.
size_t SegmentCount(const ModelSpec& spec, Representation representation);

// Limits of the wire format on one segment, before anything is known of the model.
constexpr uint32_t kMinSegmentSize = 16;                     // a header, if it is an update of zeros
constexpr uint32_t kMaxSegmentSize = 16 + 8 * kBlockValues;  // a whole block of integers
constexpr size_t kMaxSegments = ModelSpec::kMaxValues / kBlockValues + ModelSpec::kMaxTensors;

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_PAYLOAD_LAYOUT_H_
