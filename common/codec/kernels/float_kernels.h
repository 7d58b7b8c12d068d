// The inner loops of the float codec, on the best instruction set of the processor. Every one gives the same bytes as
// float_kernels_scalar.h. Pure; thread-safe. Buffers need no alignment and must not overlap.
#ifndef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_H_
#define THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/codec/codec_spec.h"

namespace thinwire {

// Bytes of `count` codes of `width` bits.
inline size_t PackedSize(size_t count, int width) { return (count * static_cast<size_t>(width) + 7) / 8; }

// The largest bit pattern among the magnitudes, 0 if there are none. It is that of the largest magnitude if it is below
// 0x7f800000; otherwise some value is NaN or infinite.
uint32_t MaxMagnitudeBits(const float* values, size_t count);

// Codes values[i] / scale (one binary32 division) and packs the codes, least significant bit first, into exactly
// PackedSize(count, width) bytes; unused bits of the last byte are 0. False if a value is NaN or infinite; `out` is
// then unspecified. `scale` is positive, normal and finite.
bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out);

// The same with EncodeFloatCodeDithered (float_format.h): value i is rounded by dither[i].
bool EncodeFloatsDithered(const float* values, const uint16_t* dither, size_t count, FloatFormat format, float scale,
                          uint8_t* out);

// The inverse: code's number * scale (one binary32 multiplication). Reads exactly PackedSize(count, width) bytes and
// does not look at unused bits. False if a code is no number; `out` is then unspecified.
bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out);

// The same for groups of `group` values each, the last one perhaps shorter, and one entry of `largest` or `scales` for
// each of them: the largest magnitudes; out[i] = values[i] / scale; values[i] *= scale. Scales as above.
void MaxMagnitudeBitsOfGroups(const float* values, size_t count, size_t group, uint32_t* largest);
void DivideGroups(const float* values, size_t count, size_t group, const float* scales, float* out);
void MultiplyGroups(float* values, size_t count, size_t group, const float* scales);

// The instruction sets of this processor that the kernels were built for, the best first. For tests and benchmarks.
struct KernelTarget {
  int64_t id;
  std::string name;
};
std::vector<KernelTarget> KernelTargets();
// Makes all kernels use that one, or the best again if null. Not while another thread runs a kernel.
void UseKernelTarget(const KernelTarget* target);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_KERNELS_FLOAT_KERNELS_H_
