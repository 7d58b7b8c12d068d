#include "common/codec/kernels/float_kernels_scalar.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/codec/float_format.h"

namespace thinwire {
namespace scalar {

uint32_t MaxMagnitudeBits(const float* values, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, FloatBits(values[i]) & ~kFloatSignBit);
  return largest;
}

namespace {

// code(value) gives the code of a finite quotient.
template <typename Code>
bool EncodeEach(const float* values, size_t count, FloatFormat format, float scale, Code code_of, uint8_t* out) {
  const int width = format.width();
  uint64_t pending = 0;  // bits not yet written, the oldest lowest
  int pending_bits = 0;
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t magnitude = FloatBits(values[i]) & ~kFloatSignBit;
    largest = std::max(largest, magnitude);
    const uint32_t code = magnitude < kFloatInfinityBits ? code_of(i, values[i] / scale) : 0;
    pending |= static_cast<uint64_t>(code) << pending_bits;
    for (pending_bits += width; pending_bits >= 8; pending_bits -= 8, pending >>= 8) {
      *out++ = static_cast<uint8_t>(pending);
    }
  }
  if (pending_bits > 0) *out = static_cast<uint8_t>(pending);
  return largest < kFloatInfinityBits;
}

}  // namespace

bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  const auto code = [format](size_t, float quotient) { return EncodeFloatCode(quotient, format); };
  return EncodeEach(values, count, format, scale, code, out);
}

bool EncodeFloatsDithered(const float* values, const uint16_t* dither, size_t count, FloatFormat format, float scale,
                          uint8_t* out) {
  const auto code = [=](size_t i, float quotient) { return EncodeFloatCodeDithered(quotient, format, dither[i]); };
  return EncodeEach(values, count, format, scale, code, out);
}

bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  const int width = format.width();
  uint64_t pending = 0;
  int pending_bits = 0;
  bool numbers = true;
  for (size_t i = 0; i < count; ++i) {
    for (; pending_bits < width; pending_bits += 8) pending |= static_cast<uint64_t>(*packed++) << pending_bits;
    const uint32_t code = static_cast<uint32_t>(pending & ((uint64_t{1} << width) - 1));
    pending >>= width;
    pending_bits -= width;
    const bool number = IsNumberCode(code, format);
    numbers = numbers && number;
    out[i] = number ? DecodeFloatCode(code, format) * scale : 0.0f;
  }
  return numbers;
}

void MaxMagnitudeBitsOfGroups(const float* values, size_t count, size_t group, uint32_t* largest) {
  for (size_t first = 0; first < count; first += group) {
    *largest++ = MaxMagnitudeBits(values + first, std::min(group, count - first));
  }
}

void DivideGroups(const float* values, size_t count, size_t group, const float* scales, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = values[i] / scales[i / group];
}

void MultiplyGroups(float* values, size_t count, size_t group, const float* scales) {
  for (size_t i = 0; i < count; ++i) values[i] *= scales[i / group];
}

}  // namespace scalar
}  // namespace thinwire
