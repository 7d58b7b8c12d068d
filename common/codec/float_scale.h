// The scale of a tensor under the float codec: what values are divided by before they are rounded.
#ifndef THINWIRE_COMMON_CODEC_FLOAT_SCALE_H_
#define THINWIRE_COMMON_CODEC_FLOAT_SCALE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

// A pure function of format, rule and largest magnitude (finite). 1 without a rule and for a tensor of zeros. Otherwise
// always positive, normal, and such that the largest code times the scale is finite:
//   power of two: the smallest 2^k >= 2^-126 with absmax / 2^k at most the largest finite code, or the largest 2^k
//   whose
//                 largest code is finite, if that is smaller; dividing and multiplying by it is exact.
//   absmax:       absmax / largest finite code in binary32, brought into the same range.
float ChooseFloatScale(FloatFormat format, ScaleRule rule, float absmax);

// INVALID_ARGUMENT unless `scale` is one that ChooseFloatScale may choose for some tensor.
absl::Status CheckFloatScale(FloatFormat format, ScaleRule rule, float scale);

// A scale beside the codes it belongs to: nothing without a rule, the exponent of a power of two as one byte in two's
// complement, or binary32, little-endian.
size_t ScaleSize(ScaleRule rule);
void StoreScale(ScaleRule rule, float scale, uint8_t* at);
// 1 without a rule. What was not stored by StoreScale may come out as no lawful scale.
float LoadScale(ScaleRule rule, const uint8_t* at);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FLOAT_SCALE_H_
