// One translation of the kernels per instruction set, chosen at run time. Everything but the moving of bytes is written
// once for all of them.
#include "common/codec/kernels/float_kernels.h"

#include <algorithm>

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
bool EncodeFloatsDitheredHere(const float* values, const uint16_t* dither, size_t count, FloatFormat format,
                              float scale, uint8_t* out) {
  return scalar::EncodeFloatsDithered(values, dither, count, format, scale, out);
}
bool DecodeFloatsHere(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  return scalar::DecodeFloats(packed, count, format, scale, out);
}
void MaxMagnitudeBitsOfGroupsHere(const float* values, size_t count, size_t group, uint32_t* largest) {
  scalar::MaxMagnitudeBitsOfGroups(values, count, group, largest);
}
void DivideGroupsHere(const float* values, size_t count, size_t group, const float* scales, float* out) {
  scalar::DivideGroups(values, count, group, scales, out);
}
void MultiplyGroupsHere(float* values, size_t count, size_t group, const float* scales) {
  scalar::MultiplyGroups(values, count, group, scales);
}

#else

// Memory is asked for early, both what will be read and what will be written: many small unaligned stores keep the
// processor from running far enough ahead by itself. Distances in bytes, tried out on buffers beyond all caches. Asking
// for what lies beyond a buffer does no harm.
constexpr size_t kValuesAhead = 8192;
constexpr size_t kPackedAhead = 2048;
constexpr size_t kOutputAhead = 1024;

HWY_INLINE void PrefetchForRead(const void* at, size_t ahead) {
  __builtin_prefetch(static_cast<const char*>(at) + ahead, 0);
}
HWY_INLINE void PrefetchForWrite(void* at, size_t ahead) { __builtin_prefetch(static_cast<char*>(at) + ahead, 1); }

uint32_t MaxMagnitudeBitsHere(const float* values, size_t count) {
  using D = hn::ScalableTag<uint32_t>;
  const hn::RebindToFloat<D> df;
  const size_t lanes = hn::Lanes(df);
  const auto magnitude = [&](const float* at) HWY_ATTR {
    return hn::And(hn::BitCast(D(), hn::LoadU(df, at)), hn::Set(D(), ~kFloatSignBit));
  };
  // Two chains, so that one does not wait for the other.
  MaxOf<D> even, odd;
  size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    even.Add(magnitude(values + i));
    odd.Add(magnitude(values + i + lanes));
  }
  return std::max({even.Get(), odd.Get(), scalar::MaxMagnitudeBits(values + i, count - i)});
}

// Whole groups of a stream whose stores or loads of `reach` bytes stay within its `bytes`.
size_t WholeGroups(size_t count, size_t bytes, size_t group_bytes, size_t reach) {
  return bytes < reach ? 0 : std::min(count / kGroup, (bytes - reach) / group_bytes + 1);
}

// Groups of codes by `quantize` into the stream, joined to pairs or not.
template <bool kPairs, class Quantize>
void PackAll(Quantize* quantize, int width, const float* values, size_t count, uint8_t* out) {
  const Packer<kPairs> packer(width);
  const size_t group_bytes = kGroup * static_cast<size_t>(width) / 8;
  const size_t bytes = PackedSize(count, width);
  const size_t whole = WholeGroups(count, bytes, group_bytes, packer.StoreSize());
  for (size_t i = 0; i < whole; ++i) {
    PrefetchForRead(values + i * kGroup, kValuesAhead);
    PrefetchForWrite(out + i * group_bytes, kOutputAhead);
    packer.Store(values + i * kGroup, quantize, out + i * group_bytes);
  }
  // The rest goes through buffers of its own.
  for (size_t i = whole * kGroup, at = whole * group_bytes; i < count; i += kGroup, at += group_bytes) {
    float group[kGroup] = {};
    uint8_t stream[kTableBytes];
    std::copy_n(values + i, std::min(kGroup, count - i), group);
    packer.Store(group, quantize, stream);
    std::copy_n(stream, std::min(group_bytes, bytes - at), out + at);
  }
}

// False if a value is not finite.
template <class Quantize>
bool EncodeBy(Quantize quantize, int width, const float* values, size_t count, uint8_t* out) {
  if (width < kMinSingleWidth) {
    PackAll<true>(&quantize, width, values, count, out);
  } else {
    PackAll<false>(&quantize, width, values, count, out);
  }
  // A quotient may be infinite though its value is not, if the scale was made for other values.
  return quantize.AllFinite() || MaxMagnitudeBitsHere(values, count) < kFloatInfinityBits;
}

template <FormatKind kKind>
bool EncodeScaled(const FloatParams& params, const float* values, size_t count, uint8_t* out) {
  return params.exact_inverse ? EncodeBy(Quantizer<DU, kKind, false>(params), params.width(), values, count, out)
                              : EncodeBy(Quantizer<DU, kKind, true>(params), params.width(), values, count, out);
}

template <bool kEight>
bool EncodeDithered(const FloatParams& params, const float* values, const uint16_t* dither, size_t count,
                    uint8_t* out) {
  return params.exact_inverse
             ? EncodeBy(DitheringQuantizer<DU, kEight, false>(params, dither), params.width(), values, count, out)
             : EncodeBy(DitheringQuantizer<DU, kEight, true>(params, dither), params.width(), values, count, out);
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

bool EncodeFloatsDitheredHere(const float* values, const uint16_t* dither, size_t count, FloatFormat format,
                              float scale, uint8_t* out) {
  if (format.width() > kMaxVectorWidth) return scalar::EncodeFloatsDithered(values, dither, count, format, scale, out);
  const FloatParams params = MakeFloatParams(format, scale);
  // The last group's dither is read whole.
  const size_t whole = count / kGroup * kGroup, bytes = PackedSize(whole, format.width());
  uint16_t last[kGroup] = {};
  std::copy_n(dither + whole, count - whole, last);
  const auto encode = format.exponent_bits == 8 ? &EncodeDithered<true> : &EncodeDithered<false>;
  const bool finite = encode(params, values, dither, whole, out);
  return encode(params, values + whole, last, count - whole, out + bytes) && finite;
}

template <bool kEight>
bool DecodeAs(const FloatParams& params, const uint8_t* packed, size_t count, float* out) {
  Dequantizer<DU, kEight> dequantize(params);
  const Unpacker unpacker(params.width());
  const size_t group_bytes = kGroup * static_cast<size_t>(params.width()) / 8;
  const size_t bytes = PackedSize(count, params.width());
  const size_t whole = WholeGroups(count, bytes, group_bytes, unpacker.LoadSize());
  for (size_t i = 0; i < whole; ++i) {
    PrefetchForRead(packed + i * group_bytes, kPackedAhead);
    PrefetchForWrite(out + i * kGroup, kOutputAhead);
    unpacker.Load(packed + i * group_bytes, &dequantize, out + i * kGroup);
  }
  for (size_t i = whole * kGroup, at = whole * group_bytes; i < count; i += kGroup, at += group_bytes) {
    float group[kGroup];
    uint8_t stream[kTableBytes] = {};
    std::copy_n(packed + at, std::min(group_bytes, bytes - at), stream);
    unpacker.Load(stream, &dequantize, group);
    std::copy_n(group, std::min(kGroup, count - i), out + i);
  }
  return dequantize.AllNumbers();
}

bool DecodeFloatsHere(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  if (format.width() > kMaxVectorWidth) return scalar::DecodeFloats(packed, count, format, scale, out);
  const FloatParams params = MakeFloatParams(format, scale);
  return format.exponent_bits == 8 ? DecodeAs<true>(params, packed, count, out)
                                   : DecodeAs<false>(params, packed, count, out);
}

void MaxMagnitudeBitsOfGroupsHere(const float* values, size_t count, size_t group, uint32_t* largest) {
  for (size_t first = 0; first < count; first += group) {
    *largest++ = MaxMagnitudeBitsHere(values + first, std::min(group, count - first));
  }
}

// out[i] = values[i] * factor; in place if they are the same.
HWY_INLINE void MultiplyAll(const float* values, size_t count, float factor, float* out) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto factors = hn::Set(d, factor);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, values + i), factors), d, out + i);
  for (; i < count; ++i) out[i] = values[i] * factor;
}

HWY_INLINE void DivideAll(const float* values, size_t count, float divisor, float* out) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto divisors = hn::Set(d, divisor);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Div(hn::LoadU(d, values + i), divisors), d, out + i);
  for (; i < count; ++i) out[i] = values[i] / divisor;
}

void DivideGroupsHere(const float* values, size_t count, size_t group, const float* scales, float* out) {
  for (size_t first = 0; first < count; first += group, ++scales) {
    const size_t size = std::min(group, count - first);
    if (HasExactInverse(*scales)) {
      MultiplyAll(values + first, size, 1 / *scales, out + first);
    } else {
      DivideAll(values + first, size, *scales, out + first);
    }
  }
}

void MultiplyGroupsHere(float* values, size_t count, size_t group, const float* scales) {
  for (size_t first = 0; first < count; first += group, ++scales) {
    MultiplyAll(values + first, std::min(group, count - first), *scales, values + first);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thinwire {

HWY_EXPORT(MaxMagnitudeBitsHere);
HWY_EXPORT(EncodeFloatsHere);
HWY_EXPORT(EncodeFloatsDitheredHere);
HWY_EXPORT(DecodeFloatsHere);
HWY_EXPORT(MaxMagnitudeBitsOfGroupsHere);
HWY_EXPORT(DivideGroupsHere);
HWY_EXPORT(MultiplyGroupsHere);

uint32_t MaxMagnitudeBits(const float* values, size_t count) {
  return HWY_DYNAMIC_DISPATCH(MaxMagnitudeBitsHere)(values, count);
}

bool EncodeFloats(const float* values, size_t count, FloatFormat format, float scale, uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(EncodeFloatsHere)(values, count, format, scale, out);
}

bool EncodeFloatsDithered(const float* values, const uint16_t* dither, size_t count, FloatFormat format, float scale,
                          uint8_t* out) {
  return HWY_DYNAMIC_DISPATCH(EncodeFloatsDitheredHere)(values, dither, count, format, scale, out);
}

bool DecodeFloats(const uint8_t* packed, size_t count, FloatFormat format, float scale, float* out) {
  return HWY_DYNAMIC_DISPATCH(DecodeFloatsHere)(packed, count, format, scale, out);
}

void MaxMagnitudeBitsOfGroups(const float* values, size_t count, size_t group, uint32_t* largest) {
  HWY_DYNAMIC_DISPATCH(MaxMagnitudeBitsOfGroupsHere)(values, count, group, largest);
}

void DivideGroups(const float* values, size_t count, size_t group, const float* scales, float* out) {
  HWY_DYNAMIC_DISPATCH(DivideGroupsHere)(values, count, group, scales, out);
}

void MultiplyGroups(float* values, size_t count, size_t group, const float* scales) {
  HWY_DYNAMIC_DISPATCH(MultiplyGroupsHere)(values, count, group, scales);
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
