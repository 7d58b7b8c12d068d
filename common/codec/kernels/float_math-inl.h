// Numbers to codes and codes to numbers, a vector at a time. Included once per instruction set.
#if defined(THINWIRE_COMMON_CODEC_KERNELS_FLOAT_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_MATH_INL_H_
#undef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_MATH_INL_H_
#else
#define THINWIRE_COMMON_CODEC_KERNELS_FLOAT_MATH_INL_H_
#endif

#include <cstdint>

#include "common/codec/float_format.h"
#include "common/codec/kernels/float_params.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Instruction sets before AVX2 have no shift with a count for each lane. Highway's better targets have smaller numbers.
#undef THINWIRE_NO_VARIABLE_SHIFT
#define THINWIRE_NO_VARIABLE_SHIFT (HWY_ARCH_X86 && HWY_TARGET >= HWY_SSE4)

// All lanes by the same count. The variable shift takes one operation where there is one.
template <class V>
HWY_INLINE V ShiftRightBy(V v, V counts, int count) {
#if THINWIRE_NO_VARIABLE_SHIFT
  (void)counts;
  return hn::ShiftRightSame(v, count);
#else
  (void)count;
  return v >> counts;
#endif
}
template <class V>
HWY_INLINE V ShiftLeftBy(V v, V counts, int count) {
#if THINWIRE_NO_VARIABLE_SHIFT
  (void)counts;
  return hn::ShiftLeftSame(v, count);
#else
  (void)count;
  return v << counts;
#endif
}

// The largest of the bit patterns seen in each lane.
template <class DU>
class MaxOf {
 public:
  HWY_INLINE MaxOf() : max_(hn::Zero(DU())) {}
  HWY_INLINE void Add(hn::Vec<DU> bits) { max_ = hn::Max(max_, bits); }
  HWY_INLINE uint32_t Get() const { return hn::GetLane(hn::MaxOfLanes(DU(), max_)); }

 private:
  hn::Vec<DU> max_;
};

// Formats that are rounded alike.
enum class FormatKind { kEightExponentBits, kNoMantissa, kOther };
inline FormatKind KindOf(FloatFormat format) {
  if (format.exponent_bits == 8) return FormatKind::kEightExponentBits;
  return format.mantissa_bits == 0 ? FormatKind::kNoMantissa : FormatKind::kOther;
}

// Values to codes, as EncodeFloatCode(x / scale). kDivide: the scale has no exact reciprocal.
template <class DU, FormatKind kKind, bool kDivide>
class Quantizer {
  using DF = hn::RebindToFloat<DU>;
  using VU = hn::Vec<DU>;

 public:
  HWY_INLINE explicit Quantizer(const FloatParams& p)
      : factor_(hn::Set(DF(), kDivide ? p.scale : p.inverse)),
        largest_(hn::Set(DU(), p.largest)),
        min_normal_(hn::Set(DU(), p.min_normal)),
        magic_(hn::Set(DU(), static_cast<uint32_t>(p.dropped()) << 23)),
        offset_(hn::Set(DU(), p.min_normal >> p.dropped())),
        half_(hn::Set(DU(), (1u << (p.dropped() - 1)) - 1)),
        sign_code_(hn::Set(DU(), p.sign_code)),
        dropped_counts_(hn::Set(DU(), static_cast<uint32_t>(p.dropped()))),
        sign_counts_(hn::Set(DU(), static_cast<uint32_t>(32 - p.width()))),
        dropped_(p.dropped()),
        sign_count_(32 - p.width()) {}

  HWY_INLINE VU operator()(const float* in) {
    const auto value = hn::LoadU(DF(), in);
    const VU quotient = hn::BitCast(DU(), kDivide ? hn::Div(value, factor_) : hn::Mul(value, factor_));
    const VU absolute = hn::And(quotient, hn::Set(DU(), ~kFloatSignBit));
    seen_.Add(absolute);
    // Whatever lies beyond the largest finite number rounds to it, NaN included, so that codes never leave their width.
    const VU magnitude = hn::Min(absolute, largest_);
    const VU code = kKind == FormatKind::kEightExponentBits ? RoundBits(magnitude) : RoundValue(magnitude);
    return hn::OrAnd(code, ShiftRightBy(quotient, sign_counts_, sign_count_), sign_code_);
  }
  // Whether all quotients so far were finite; then all values were.
  HWY_INLINE bool AllFinite() const { return seen_.Get() < kFloatInfinityBits; }

 private:
  // At 8 exponent bits a code is the upper bits of the number: integer rounding to the nearest, ties to even.
  HWY_INLINE VU RoundBits(VU magnitude) const {
    const VU odd = hn::And(ShiftRightBy(magnitude, dropped_counts_, dropped_), hn::Set(DU(), 1u));
    return ShiftRightBy(hn::Add(hn::Add(magnitude, half_), odd), dropped_counts_, dropped_);
  }

  // Below: adding 2^(23 - M) times the power of two at or below the number (at least the smallest normal one) leaves
  // exactly M bits below that power, and the adder rounds to nearest, ties to even, normal and subnormal alike. The
  // sum's bits minus those of what was added are the mantissa with its leading 1, which counts one exponent up. Needs M
  // <= 22.
  HWY_INLINE VU RoundValue(VU magnitude) const {
    const VU exponent = hn::And(hn::Max(magnitude, min_normal_), hn::Set(DU(), kFloatInfinityBits));
    VU added = hn::Add(exponent, magic_);
    if (kKind == FormatKind::kNoMantissa) {
      added = hn::Add(added, hn::AndNot(hn::ShiftRight<23>(exponent), hn::Set(DU(), 1u)));
    }
    const VU sum = hn::BitCast(DU(), hn::Add(hn::BitCast(DF(), magnitude), hn::BitCast(DF(), added)));
    const VU mantissa = hn::Sub(sum, added);
    return hn::Sub(hn::Add(mantissa, ShiftRightBy(exponent, dropped_counts_, dropped_)), offset_);
  }

  const hn::Vec<DF> factor_;
  const VU largest_, min_normal_, magic_, offset_, half_, sign_code_, dropped_counts_, sign_counts_;
  const int dropped_, sign_count_;
  MaxOf<DU> seen_;
};

// Values to codes, as EncodeFloatCodeDithered(x / scale, dither), the dither of consecutive calls being consecutive.
template <class DU, bool kEight, bool kDivide>
class DitheringQuantizer {
  using DF = hn::RebindToFloat<DU>;
  using DI = hn::RebindToSigned<DU>;
  using VU = hn::Vec<DU>;

 public:
  HWY_INLINE DitheringQuantizer(const FloatParams& p, const uint16_t* dither)
      : dither_(dither),
        factor_(hn::Set(DF(), kDivide ? p.scale : p.inverse)),
        inverse_step_(hn::Set(DF(), p.inverse_step)),
        part_(hn::Set(DF(), 1.0f / static_cast<float>(1 << Used(p)))),
        largest_(hn::Set(DU(), p.largest)),
        min_normal_(hn::Set(DU(), p.min_normal)),
        offset_(hn::Set(DU(), p.rebias >> p.dropped())),
        sign_code_(hn::Set(DU(), p.sign_code)),
        unused_counts_(hn::Set(DU(), static_cast<uint32_t>(16 - Used(p)))),
        part_counts_(hn::Set(DU(), static_cast<uint32_t>(p.dropped() - Used(p)))),
        dropped_counts_(hn::Set(DU(), static_cast<uint32_t>(p.dropped()))),
        sign_counts_(hn::Set(DU(), static_cast<uint32_t>(32 - p.width()))),
        unused_(16 - Used(p)),
        part_count_(p.dropped() - Used(p)),
        dropped_(p.dropped()),
        sign_count_(32 - p.width()) {}

  HWY_INLINE VU operator()(const float* in) {
    const auto value = hn::LoadU(DF(), in);
    const VU quotient = hn::BitCast(DU(), kDivide ? hn::Div(value, factor_) : hn::Mul(value, factor_));
    const VU absolute = hn::And(quotient, hn::Set(DU(), ~kFloatSignBit));
    seen_.Add(absolute);
    const VU magnitude = hn::Min(absolute, largest_);
    const VU part = ShiftRightBy(NextDither(), unused_counts_, unused_);
    const VU sum = hn::Add(magnitude, ShiftLeftBy(part, part_counts_, part_count_));
    VU code = hn::Sub(ShiftRightBy(sum, dropped_counts_, dropped_), offset_);
    if (!kEight) {
      const auto share = hn::Mul(hn::ConvertTo(DF(), hn::BitCast(DI(), part)), part_);
      const auto steps = hn::Add(hn::Mul(hn::BitCast(DF(), hn::Min(magnitude, min_normal_)), inverse_step_), share);
      const VU subnormal = hn::BitCast(DU(), hn::ConvertTo(DI(), steps));
      code = hn::IfThenElse(magnitude < min_normal_, subnormal, code);
    }
    return hn::OrAnd(code, ShiftRightBy(quotient, sign_counts_, sign_count_), sign_code_);
  }
  HWY_INLINE bool AllFinite() const { return seen_.Get() < kFloatInfinityBits; }

 private:
  static int Used(const FloatParams& p) { return p.dropped() < 16 ? p.dropped() : 16; }
  HWY_INLINE VU NextDither() {
    const VU dither = hn::PromoteTo(DU(), hn::LoadU(hn::Rebind<uint16_t, DU>(), dither_));
    dither_ += hn::Lanes(DU());
    return dither;
  }

  const uint16_t* dither_;
  const hn::Vec<DF> factor_, inverse_step_, part_;
  const VU largest_, min_normal_, offset_, sign_code_, unused_counts_, part_counts_, dropped_counts_, sign_counts_;
  const int unused_, part_count_, dropped_, sign_count_;
  MaxOf<DU> seen_;
};

// Codes to numbers times scale, as DecodeFloatCode(code) * scale. Bits above the code are ignored.
template <class DU, bool kEight>
class Dequantizer {
  using DF = hn::RebindToFloat<DU>;
  using VU = hn::Vec<DU>;
  using VF = hn::Vec<DF>;

 public:
  HWY_INLINE explicit Dequantizer(const FloatParams& p)
      : scale_(hn::Set(DF(), p.scale)),
        min_normal_(hn::BitCast(DF(), hn::Set(DU(), p.min_normal))),
        magnitudes_(hn::Set(DU(), p.magnitudes)),
        rebias_(hn::Set(DU(), p.rebias)),
        dropped_counts_(hn::Set(DU(), static_cast<uint32_t>(p.dropped()))),
        sign_counts_(hn::Set(DU(), static_cast<uint32_t>(32 - p.width()))),
        dropped_(p.dropped()),
        sign_count_(32 - p.width()) {}

  HWY_INLINE void operator()(VU code, float* out) {
    const VU shifted = hn::And(ShiftLeftBy(code, dropped_counts_, dropped_), magnitudes_);
    if (kEight) seen_.Add(shifted);
    const VU magnitude = kEight ? shifted : Rebias(shifted);
    const VU sign = ShiftLeftBy(code, sign_counts_, sign_count_);
    const VU number = hn::OrAnd(magnitude, sign, hn::Set(DU(), kFloatSignBit));
    hn::StoreU(hn::Mul(hn::BitCast(DF(), number), scale_), DF(), out);
  }
  // Whether all codes so far were numbers.
  HWY_INLINE bool AllNumbers() const { return seen_.Get() < kFloatInfinityBits; }

 private:
  // With the bias added, a subnormal code 2^(1-b) * m/2^M reads as half of 2^(1-b) * (1 + m/2^M), below the smallest
  // normal number 2^(1-b); adding what it is below once more gives its number, exactly.
  HWY_INLINE VU Rebias(VU shifted) const {
    const VF number = hn::BitCast(DF(), hn::Add(shifted, rebias_));
    const VF below = hn::Min(hn::Sub(number, min_normal_), hn::Zero(DF()));
    return hn::BitCast(DU(), hn::Add(number, below));
  }

  const VF scale_, min_normal_;
  const VU magnitudes_, rebias_, dropped_counts_, sign_counts_;
  const int dropped_, sign_count_;
  MaxOf<DU> seen_;
};

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_CODEC_KERNELS_FLOAT_MATH_INL_H_
