// One value of a small float S1ExMy in integer arithmetic: the specification of the float codec, which every kernel
// must match bit for bit. Pure; thread-safe. A code is sign, exponent, mantissa from the top bit down, in
// format.width() bits.
#ifndef THINWIRE_COMMON_CODEC_FLOAT_FORMAT_H_
#define THINWIRE_COMMON_CODEC_FLOAT_FORMAT_H_

#include <cstdint>

#include "common/codec/codec_spec.h"

namespace thinwire {

constexpr uint32_t kFloatSignBit = 0x80000000u;
constexpr uint32_t kFloatInfinityBits = 0x7f800000u;  // magnitudes from here on are not finite

inline int ExponentBias(FloatFormat format) { return (1 << (format.exponent_bits - 1)) - 1; }
inline uint32_t SignCode(FloatFormat format) { return 1u << (format.width() - 1); }
// The largest code with the sign bit clear that is a number.
uint32_t LargestMagnitudeCode(FloatFormat format);
// The number of that code.
float LargestFinite(FloatFormat format);

// Nearest, ties to the even code; subnormals kept, -0 kept; beyond the largest finite code: that code. Infinities count
// as beyond; `value` must not be NaN.
uint32_t EncodeFloatCode(float value, FloatFormat format);

// As far as dither / 65536 of a step up from the magnitude, then towards zero: stochastic rounding for uniform dither,
// truncation for 0. A step is the distance of the codes around the number. A number of the format keeps its code
// whatever the dither. Of the dither as many upper bits count as a step has bits in binary32.
uint32_t EncodeFloatCodeDithered(float value, FloatFormat format, uint16_t dither);

// Whether a code stands for a number: always, except for the top exponent at 8 exponent bits.
bool IsNumberCode(uint32_t code, FloatFormat format);
// Exact: every number of every format is a binary32 number. `code` must be a number of at most width() bits.
float DecodeFloatCode(uint32_t code, FloatFormat format);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FLOAT_FORMAT_H_
