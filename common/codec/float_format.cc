#include "common/codec/float_format.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace thinwire {
namespace {

constexpr int kMantissaBits = 23;
constexpr int kBias = 127;
constexpr uint32_t kImplicitBit = 1u << kMantissaBits;

// value / 2^shift to the nearest integer, ties to even; shift in 0..31 and value below 2^31.
uint32_t RoundShift(uint32_t value, int shift) {
  if (shift == 0) return value;
  const uint32_t odd = (value >> shift) & 1;
  return (value + (1u << (shift - 1)) - 1 + odd) >> shift;
}

// The magnitude's code before saturation.
uint32_t RoundMagnitude(uint32_t bits, FloatFormat format) {
  const int dropped = kMantissaBits - format.mantissa_bits;
  const int rebias = kBias - ExponentBias(format);
  const int exponent = static_cast<int>(bits >> kMantissaBits);
  // At 8 exponent bits both scales agree, subnormals included: dropping low bits is all there is to do.
  if (rebias == 0) return RoundShift(bits, dropped);
  if (exponent > rebias) return RoundShift(bits - (static_cast<uint32_t>(rebias) << kMantissaBits), dropped);
  // Subnormal in the format. A subnormal binary32 is far below half of the smallest code, so the implicit bit that it
  // does not have makes no difference.
  const int shift = std::min(dropped + rebias + 1 - exponent, 31);
  return RoundShift((bits & (kImplicitBit - 1)) | kImplicitBit, shift);
}

// Distance of subnormal codes, 2^(1 - bias - mantissa bits): a normal binary32 below 8 exponent bits.
float SmallestStep(FloatFormat format) {
  const int exponent = kBias - ExponentBias(format) + 1 - format.mantissa_bits;
  return FloatFromBits(static_cast<uint32_t>(exponent) << kMantissaBits);
}

}  // namespace

uint32_t LargestMagnitudeCode(FloatFormat format) {
  const uint32_t all_ones = SignCode(format) - 1;
  return format.exponent_bits == 8 ? all_ones - (1u << format.mantissa_bits) : all_ones;
}

float LargestFinite(FloatFormat format) { return DecodeFloatCode(LargestMagnitudeCode(format), format); }

uint32_t EncodeFloatCode(float value, FloatFormat format) {
  const uint32_t bits = FloatBits(value);
  const uint32_t magnitude = std::min(RoundMagnitude(bits & ~kFloatSignBit, format), LargestMagnitudeCode(format));
  return (bits & kFloatSignBit) != 0 ? magnitude | SignCode(format) : magnitude;
}

uint32_t EncodeFloatCodeDithered(float value, FloatFormat format, uint16_t dither) {
  const int dropped = kMantissaBits - format.mantissa_bits;
  const int used = std::min(dropped, 16);
  const uint32_t part = static_cast<uint32_t>(dither) >> (16 - used);
  const uint32_t rebias = static_cast<uint32_t>(kBias - ExponentBias(format)) << kMantissaBits;
  const uint32_t sign = (FloatBits(value) & kFloatSignBit) != 0 ? SignCode(format) : 0;
  const uint32_t bits = std::min(FloatBits(value) & ~kFloatSignBit, FloatBits(LargestFinite(format)));
  // In one binade, and across the borders of binades, steps are equal parts of the bits.
  if (rebias == 0 || bits >= rebias + kImplicitBit) {
    return sign | (((bits + (part << (dropped - used))) >> dropped) - (rebias >> dropped));
  }
  const float steps =
      FloatFromBits(bits) / SmallestStep(format) + static_cast<float>(part) / static_cast<float>(1 << used);
  return sign | static_cast<uint32_t>(steps);
}

bool IsNumberCode(uint32_t code, FloatFormat format) {
  return (code & (SignCode(format) - 1)) <= LargestMagnitudeCode(format);
}

float DecodeFloatCode(uint32_t code, FloatFormat format) {
  const uint32_t sign = (code & SignCode(format)) != 0 ? kFloatSignBit : 0;
  const uint32_t magnitude = code & (SignCode(format) - 1);
  const int dropped = kMantissaBits - format.mantissa_bits;
  const int rebias = kBias - ExponentBias(format);
  if (rebias == 0) return FloatFromBits(sign | (magnitude << dropped));
  if ((magnitude >> format.mantissa_bits) != 0) {
    return FloatFromBits(sign | ((magnitude << dropped) + (static_cast<uint32_t>(rebias) << kMantissaBits)));
  }
  const float value = static_cast<float>(magnitude) * SmallestStep(format);
  return FloatFromBits(sign | FloatBits(value));
}

}  // namespace thinwire
