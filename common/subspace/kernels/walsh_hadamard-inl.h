// The Walsh-Hadamard transform's levels within one block, a vector at a time. Included once per instruction set.
//
// A level is a pass of butterflies (a, b) -> (a + b, a - b) between values whose indices differ in one bit. Levels run
// from bit 0 upwards, everywhere. What each sum is made of, and in which order, then does not depend on how the passes
// are cut into vectors, registers, cache blocks and tiles, and so every instruction set gives the same bits.
#if defined(THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_INL_H_
#undef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_INL_H_
#else
#define THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "common/subspace/kernels/walsh_hadamard_kernels.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr int kLogLanes = kLanes == 16 ? 4 : kLanes == 8 ? 3 : 2;
static_assert(kLanes == size_t{1} << kLogLanes, "vectors of 4, 8 or 16 floats");
// Levels that fit into registers: 16 vectors where there are 32 registers, else 8.
constexpr int kRegisterLevels = kLanes == 16 || HWY_ARCH_ARM_A64 ? 4 : 3;
// In one cache line.
constexpr size_t kLineValues = 16;
// Beyond the first-level cache, at most 8 rows at once: at power-of-two distances they share a set of its lines.
constexpr int kStrideLevels = 3;

// The levels within a vector: lanes change places, and the upper one of each pair its sign.
class LaneLevels {
 public:
  HWY_INLINE LaneLevels() {
    const DU du;
    for (int level = 0; level < kLogLanes; ++level) {
      const auto bit = hn::Set(du, 1u << level);
      const auto upper = hn::And(hn::Iota(du, 0), bit) == bit;
      hn::Store(hn::IfThenElse(hn::RebindMask(DF(), upper), hn::Set(DF(), -1.0f), hn::Set(DF(), 1.0f)), DF(),
                sign_[level]);
      hn::Store(hn::Xor(hn::Iota(du, 0), bit), du, partner_[level]);
    }
  }

  // A product by 1 or -1 is exact, so that its sum is rounded once, fused or not: to a + b in the lower lane and to a -
  // b in the upper one.
  template <int kLevel = 0>
  HWY_INLINE VF Transform(VF v) const {
    if constexpr (kLevel == kLogLanes) {
      return v;
    } else {
      return Transform<kLevel + 1>(hn::MulAdd(v, hn::Load(DF(), sign_[kLevel]), Partner<kLevel>(v)));
    }
  }

 private:
  using DU = hn::RebindToUnsigned<DF>;

  template <int kLevel>
  HWY_INLINE VF Partner(VF v) const {
    if constexpr (kLevel == 0) {
      return hn::Shuffle2301(v);
    } else if constexpr (kLevel == 1) {
      return hn::Shuffle1032(v);
    } else {
      return hn::TableLookupLanes(v, hn::IndicesFromVec(DF(), hn::Load(DU(), partner_[kLevel])));
    }
  }

  HWY_ALIGN float sign_[kLogLanes][kLanes];
  HWY_ALIGN uint32_t partner_[kLogLanes][kLanes];
};

// 2^kLevels vectors. Recursion instead of arrays: compilers keep all of it in registers.
template <int kLevels>
struct Registers {
  using Half = Registers<kLevels - 1>;
  static constexpr size_t kHalf = size_t{1} << (kLevels - 1);

  // `stride` values from vector to vector.
  HWY_INLINE void Load(const float* from, size_t stride) {
    low.Load(from, stride);
    high.Load(from + kHalf * stride, stride);
  }
  HWY_INLINE void Store(float* to, size_t stride) const {
    low.Store(to, stride);
    high.Store(to + kHalf * stride, stride);
  }
  // Past the caches; `to` is aligned to vectors.
  HWY_INLINE void Stream(float* to, size_t stride) const {
    low.Stream(to, stride);
    high.Stream(to + kHalf * stride, stride);
  }
  // As either of them, only the first `count` vectors.
  template <bool kStream>
  HWY_INLINE void StoreSome(float* to, size_t stride, size_t count) const {
    low.template StoreSome<kStream>(to, stride, count);
    high.template StoreSome<kStream>(to + kHalf * stride, stride, count > kHalf ? count - kHalf : 0);
  }
  HWY_INLINE void Clear() {
    low.Clear();
    high.Clear();
  }
  HWY_INLINE void TransformLanes(const LaneLevels& lanes) {
    low.TransformLanes(lanes);
    high.TransformLanes(lanes);
  }
  // The levels between vectors.
  HWY_INLINE void Transform() {
    low.Transform();
    high.Transform();
    Half::Level(&low, &high);
  }
  static HWY_INLINE void Level(Registers* a, Registers* b) {
    Half::Level(&a->low, &b->low);
    Half::Level(&a->high, &b->high);
  }

  Half low, high;
};

template <>
struct Registers<0> {
  HWY_INLINE void Load(const float* from, size_t) { v = hn::LoadU(DF(), from); }
  HWY_INLINE void Store(float* to, size_t) const { hn::StoreU(v, DF(), to); }
  HWY_INLINE void Stream(float* to, size_t) const { hn::Stream(v, DF(), to); }
  template <bool kStream>
  HWY_INLINE void StoreSome(float* to, size_t stride, size_t count) const {
    if (count == 0) return;
    if constexpr (kStream) Stream(to, stride);
    if constexpr (!kStream) Store(to, stride);
  }
  HWY_INLINE void Clear() { v = hn::Zero(DF()); }
  HWY_INLINE void TransformLanes(const LaneLevels& lanes) { v = lanes.Transform(v); }
  HWY_INLINE void Transform() {}
  static HWY_INLINE void Level(Registers* a, Registers* b) {
    const VF sum = hn::Add(a->v, b->v);
    b->v = hn::Sub(a->v, b->v);
    a->v = sum;
  }

  VF v;
};

// Calls f(integral_constant<int, levels>) for a number of levels up to kRegisterLevels.
template <class F>
HWY_INLINE void WithLevels(int levels, const F& f) {
  if (levels == 0) f(std::integral_constant<int, 0>());
  if (levels == 1) f(std::integral_constant<int, 1>());
  if (levels == 2) f(std::integral_constant<int, 2>());
  if (levels == 3) f(std::integral_constant<int, 3>());
  if constexpr (kRegisterLevels == 4) {
    if (levels == 4) f(std::integral_constant<int, 4>());
  }
}

// Levels 0 to kLogLanes + kLevels - 1.
template <int kLevels>
HWY_INLINE void BasePass(float* values, size_t count) {
  const LaneLevels lanes;
  for (float* part = values; part < values + count; part += kLanes << kLevels) {
    Registers<kLevels> r;
    r.Load(part, kLanes);
    r.TransformLanes(lanes);
    r.Transform();
    r.Store(part, kLanes);
  }
}

// What a pass asks memory for meanwhile: nothing, or the same places of what comes next.
enum class Fetching { kNothing, kNext };

// kLevels levels, the first one between values that are `stride` apart.
template <Fetching kFetching, int kLevels>
HWY_INLINE void StridePass(float* values, size_t count, size_t stride, const float* next) {
  for (float* part = values; part < values + count; part += stride << kLevels) {
    for (size_t i = 0; i < stride; i += kLanes) {
      Registers<kLevels> r;
      r.Load(part + i, stride);
      if (kFetching == Fetching::kNext && i % kLineValues == 0) {
        for (size_t k = 0; k < (size_t{1} << kLevels); ++k) hwy::Prefetch(next + (part - values) + i + k * stride);
      }
      r.Transform();
      r.Store(part + i, stride);
    }
  }
}

// How many of `levels` levels to do in the next pass if one can do `most`: few passes, of about the same size.
HWY_INLINE int NextPass(int levels, int most) {
  const int passes = (levels + most - 1) / most;
  return (levels + passes - 1) / passes;
}

// Levels `from` to `to` - 1, at most `most` a pass. The last one fetches `next`, unless it is null.
inline void StridePasses(float* values, size_t count, int from, int to, int most, const float* next) {
  while (from < to) {
    const int levels = NextPass(to - from, most);
    const size_t stride = size_t{1} << from;
    const bool fetch = next != nullptr && from + levels == to;
    WithLevels(levels, [&](auto l) {
      if (fetch) StridePass<Fetching::kNext, decltype(l)::value>(values, count, stride, next);
      if (!fetch) StridePass<Fetching::kNothing, decltype(l)::value>(values, count, stride, nullptr);
    });
    from += levels;
  }
}

// All levels of 2^levels values that fit into the first-level cache. levels >= kLogLanes.
inline void TransformSmall(float* values, int levels) {
  const size_t count = size_t{1} << levels;
  const int base = levels - kLogLanes < kRegisterLevels ? levels - kLogLanes : kRegisterLevels;
  WithLevels(base, [&](auto l) { BasePass<decltype(l)::value>(values, count); });
  StridePasses(values, count, kLogLanes + base, levels, kRegisterLevels, nullptr);
}

// All levels of 2^levels values, kLogLanes <= levels <= kWalshBlockLevels.
// `next`: null, or as many values that are needed next.
inline void TransformBlock(float* values, int levels, const float* next) {
  const int most = levels <= 12 + kStrideLevels ? 12 : 13;  // 16 or 32 KiB, so that the rest is one pass
  const int small = levels < most ? levels : most;
  const size_t count = size_t{1} << levels;
  for (size_t at = 0; at < count; at += size_t{1} << small) TransformSmall(values + at, small);
  StridePasses(values, count, small, levels, kStrideLevels, next);
}

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_INL_H_
