// The inner loops of the float codec in plain C++, one value at a time: what every other implementation must equal.
#ifndef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_SCALAR_H_
#define THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_SCALAR_H_

#include <cstddef>
#include <cstdint>

#include "common/codec/codec_spec.h"

namespace thinwire {
namespace scalar {

// Contracts as in float_kernels.h.
uint32_t MaxMagnitudeBits(const float* values, size_t count);
bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out);
bool EncodeFloatsDithered(const float* values, const uint16_t* dither, size_t count, FloatFormat format, float scale,
                          uint8_t* out);
bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out);
void MaxMagnitudeBitsOfGroups(const float* values, size_t count, size_t group, uint32_t* largest);
void DivideGroups(const float* values, size_t count, size_t group, const float* scales, float* out);
void MultiplyGroups(float* values, size_t count, size_t group, const float* scales);

}  // namespace scalar
}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_SCALAR_H_
