// One translation of the kernels per instruction set, chosen at run time. Everything but the moving of bytes is written
// once for all of them.
#include "common/codec/kernels/float_kernels.h"

#include <algorithm>
#include <cstring>

// Also for processors before AVX2, and for the byte permutations of Ice Lake and Zen 4. Vectors of unknown length are
// not worth their complication here: such processors have NEON too.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/codec/kernels/float_kernels.cc"
#include "common/codec/kernels/float_kernels_scalar.h"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#if HWY_TARGET != HWY_SCALAR
#include "common/codec/kernels/bit_pack-inl.h"
#include "common/codec/kernels/float_math-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

uint32_t MaxMagnitudeBitsHere(const float* values, size_t count) { return scalar::MaxMagnitudeBits(values, count); }
bool EncodeFloatsHere(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  return scalar::EncodeFloats(values, count, format, scale, out);
}
bool DecodeFloatsHere(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  return scalar::DecodeFloats(packed, count, format, scale, out);
}

#else

uint32_t MaxMagnitudeBitsHere(const float* values, size_t count) {
  const hn::ScalableTag<float> df;
  const hn::ScalableTag<uint32_t> du;
  const size_t lanes = hn::Lanes(df);
  // Two chains, so that one does not wait for the other.
  MagnitudeMax<hn::ScalableTag<uint32_t> > even, odd;
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    even.Add(hn::BitCast(du, hn::LoadU(df, values + i)));
    odd.Add(hn::BitCast(du, hn::LoadU(df, values + i + lanes)));
  }
  return std::max({even.Get(), odd.Get(), scalar::MaxMagnitudeBits(values + i, count - i)});
}

// A group that is not whole, or whose stores would reach beyond the stream, goes through buffers of its own.
template <class Quantize>
void EncodeLoose(const Packer& packer, const Quantize& quantize, const float* values, size_t count, size_t bytes,
                 MagnitudeMax<DU>* seen, uint8_t* out) {
  float group[Packer::kGroup] = {};
  uint8_t stream[64];
  std::memcpy(group, values, count * sizeof(float));
  packer.Store(group, quantize, seen, stream);
  std::memcpy(out, stream, bytes);
}

template <FormatKind kKind, bool kDivide>
bool EncodeAs(const FloatParams& params, const float* values, size_t count, uint8_t* out) {
  const Quantizer<DU, kKind, kDivide> quantize(params);
  const Packer packer(params.width());
  MagnitudeMax<DU> seen;
  const size_t group_bytes = Packer::kGroup * static_cast<size_t>(params.width()) / 8;
  size_t bytes_left = PackedSize(count, params.width());
  for (; bytes_left >= packer.StoreSize() && count >= Packer::kGroup; count -= Packer::kGroup) {
    packer.Store(values, quantize, &seen, out);
    values += Packer::kGroup;
    out += group_bytes;
    bytes_left -= group_bytes;
  }
  while (count > 0) {
    const size_t now = std::min(count, Packer::kGroup), bytes = std::min(bytes_left, group_bytes);
    EncodeLoose(packer, quantize, values, now, bytes, &seen, out);
    values += now;
    count -= now;
    out += bytes;
    bytes_left -= bytes;
  }
  return seen.Get() < kFloatInfinityBits;
}

template <FormatKind kKind>
bool EncodeScaled(const FloatParams& params, const float* values, size_t count, uint8_t* out) {
  return params.exact_inverse ? EncodeAs<kKind, false>(params, values, count, out)
                              : EncodeAs<kKind, true>(params, values, count, out);
}

bool EncodeFloatsHere(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  if (format.width() > kMaxVectorWidth) return scalar::EncodeFloats(values, count, format, scale, out);
  const FloatParams params = MakeFloatParams(format, scale);
  switch (KindOf(format)) {
    case FormatKind::kEightExponentBits:
      return EncodeScaled<FormatKind::kEightExponentBits>(params, values, count, out);
    case FormatKind::kNoMantissa:
      return EncodeScaled<FormatKind::kNoMantissa>(params, values, count, out);
    case FormatKind::kOther:
      break;
  }
  return EncodeScaled<FormatKind::kOther>(params, values, count, out);
}

template <class Dequantize>
void DecodeLoose(const Unpacker& unpacker, const Dequantize& dequantize, const uint8_t* packed, size_t bytes,
                 size_t count, MagnitudeMax<DU>* seen, float* out) {
  uint8_t stream[64] = {};
  float group[Unpacker::kGroup];
  std::memcpy(stream, packed, bytes);
  unpacker.Load(stream, dequantize, seen, group);
  std::memcpy(out, group, count * sizeof(float));
}

template <bool kEight>
bool DecodeAs(const FloatParams& params, const uint8_t* packed, size_t count, float* out) {
  const Dequantizer<DU, kEight> dequantize(params);
  const Unpacker unpacker(params.width());
  MagnitudeMax<DU> seen;
  const size_t group_bytes = Unpacker::kGroup * static_cast<size_t>(params.width()) / 8;
  size_t bytes_left = PackedSize(count, params.width());
  for (; bytes_left >= unpacker.LoadSize() && count >= Unpacker::kGroup; count -= Unpacker::kGroup) {
    unpacker.Load(packed, dequantize, &seen, out);
    packed += group_bytes;
    out += Unpacker::kGroup;
    bytes_left -= group_bytes;
  }
  while (count > 0) {
    const size_t now = std::min(count, Unpacker::kGroup), bytes = std::min(bytes_left, group_bytes);
    DecodeLoose(unpacker, dequantize, packed, bytes, now, &seen, out);
    packed += bytes;
    out += now;
    count -= now;
    bytes_left -= bytes;
  }
  return seen.Get() < kFloatInfinityBits;
}

bool DecodeFloatsHere(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  if (format.width() > kMaxVectorWidth) return scalar::DecodeFloats(packed, count, format, scale, out);
  const FloatParams params = MakeFloatParams(format, scale);
  return format.exponent_bits == 8 ? DecodeAs<true>(params, packed, count, out)
                                   : DecodeAs<false>(params, packed, count, out);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thinwire {

HWY_EXPORT(MaxMagnitudeBitsHere);
HWY_EXPORT(EncodeFloatsHere);
HWY_EXPORT(DecodeFloatsHere);

uint32_t MaxMagnitudeBits(const float* values, size_t count) {
  return HWY_DYNAMIC_DISPATCH(MaxMagnitudeBitsHere)(values, count);
}

bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(EncodeFloatsHere)(values, count, format, scale, out);
}

bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  return HWY_DYNAMIC_DISPATCH(DecodeFloatsHere)(packed, count, format, scale, out);
}

std::vector<KernelTarget> KernelTargets() {
  std::vector<KernelTarget> targets;
  for (const int64_t id : hwy::SupportedAndGeneratedTargets()) targets.push_back({id, hwy::TargetName(id)});
  return targets;
}

void UseKernelTarget(const KernelTarget* target) {
  hwy::SetSupportedTargetsForTest(target == nullptr ? 0 : target->id);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace thinwire
#endif  // HWY_ONCE
