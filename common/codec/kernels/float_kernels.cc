#include "common/codec/kernels/float_kernels.h"

#include "common/codec/kernels/float_kernels_scalar.h"

namespace thinwire {

uint32_t MaxMagnitudeBits(const float* values, size_t count) { return scalar::MaxMagnitudeBits(values, count); }

bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  return scalar::EncodeFloats(values, count, format, scale, out);
}

bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  return scalar::DecodeFloats(packed, count, format, scale, out);
}

}  // namespace thinwire
