// The buffers of a model in an update that is coded whole (update_frame.h): all float buffers as one tensor, all
// integer buffers as another, both of differences to the base's, so that manifest and headers do not cost more than the
// values. docs/wire_format.md 4.9.
#ifndef THINWIRE_COMMON_CODEC_BUFFER_FRAME_H_
#define THINWIRE_COMMON_CODEC_BUFFER_FRAME_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Float buffers of `count` values in all, in the model's order.
TensorSpec BufferDifferencesSpec(uint64_t count);
// Integer buffers, as codec 3: differences modulo 2^64, which are exact.
TensorSpec CountDifferencesSpec(uint64_t count);
// Whether `tensor` is the first of these.
bool IsBufferDifferences(const TensorSpec& tensor);

// S1E3M2 float blocks, with a power-of-two scale for 64 values: 6.125 bits a value, as many for all values. Of
// BatchNorm statistics (docs/rdu.md, section 4) another bit, of exponent or mantissa, halves the error at best; one
// less of exponent makes it ten times as large. What a difference lacks is in the next one: it is taken to what the
// server has.
inline CodecSpec BufferCodec() {
  BlockOptions groups;
  groups.scale_group_log2 = 6;
  return CodecSpec::FloatBlocks(3, 2, ScaleRule::kPowerOfTwo, groups);
}

// trained - base, each rounded to what BufferCodec codes without a further error: to nearest, but towards zero where a
// value of 0 or more would fall below 7/8 of itself. A variance that falls to a hundredth within a round thus never
// becomes negative, nor so small that a division by it would blow up: base + difference is at least the lesser of base
// and 7/8 of the value. At most kBlockValues values, a whole block of the tensor.
// INVALID_ARGUMENT for NaN and infinity, of a difference too.
absl::Status RoundBufferDifferences(absl::Span<const float> base, absl::Span<const float> trained,
                                    absl::Span<float> differences);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_BUFFER_FRAME_H_
