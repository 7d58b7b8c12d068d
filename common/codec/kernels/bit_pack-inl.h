// Codes in 32-bit lanes to a stream of bits and back, a group at a time: 8 codes are `width` whole bytes. Included once
// per instruction set. Widths up to kMaxVectorWidth.
#if defined(THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_
#undef THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_
#else
#define THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "common/codec/kernels/float_math-inl.h"
#include "common/codec/kernels/float_params.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Joins the two codes of every 64-bit lane: the upper directly above the lower.
template <class DU, class V64>
HWY_INLINE V64 JoinPairs(hn::Vec<DU> codes, V64 width, int count) {
  const hn::Repartition<uint64_t, DU> d64;
  const auto pairs = hn::BitCast(d64, codes);
  const auto upper = ShiftLeftBy(hn::ShiftRight<32>(pairs), width, count);
  return hn::OrAnd(upper, pairs, hn::Set(d64, uint64_t{0xffffffff}));
}

#if HWY_TARGET == HWY_AVX3_DL
// 16 codes at a time. A byte permutation across the whole vector does all the moving.
using DU = hn::ScalableTag<uint32_t>;
using VU = hn::Vec<DU>;

class Packer {
  using D64 = hn::Repartition<uint64_t, DU>;
  using D8 = hn::Repartition<uint8_t, DU>;

 public:
  static constexpr size_t kGroup = 16;

  explicit Packer(int width) : width_(width) {
    const PackTable table = MakePackTable(width, 0, 8);
    width_counts_ = hn::Set(D64(), static_cast<uint64_t>(width));
    shift_ = hn::LoadU(D64(), table.shift.data());
    even_ = hn::LoadU(D8(), table.even.data());
    odd_ = hn::LoadU(D8(), table.odd.data());
    even_bytes_ = _mm512_movepi8_mask(even_.raw) ^ ~__mmask64{0};
    odd_bytes_ = _mm512_movepi8_mask(odd_.raw) ^ ~__mmask64{0};
  }
  // Bytes that Store writes, of which the first 2 * width count; the rest is zero.
  size_t StoreSize() const { return width_ <= 16 ? 32 : 64; }

  template <class Quantize>
  HWY_INLINE void Store(const float* in, const Quantize& quantize, MagnitudeMax<DU>* seen, uint8_t* out) const {
    const VU codes = quantize(hn::BitCast(DU(), hn::LoadU(hn::RebindToFloat<DU>(), in)), seen);
    const auto pairs = JoinPairs<DU>(codes, width_counts_, width_) << shift_;
    const __m512i even = _mm512_maskz_permutexvar_epi8(even_bytes_, even_.raw, pairs.raw);
    const __m512i odd = _mm512_maskz_permutexvar_epi8(odd_bytes_, odd_.raw, pairs.raw);
    const __m512i bytes = _mm512_or_si512(even, odd);
    if (width_ <= 16) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_castsi512_si256(bytes));
    } else {
      _mm512_storeu_si512(out, bytes);
    }
  }

 private:
  const int width_;
  hn::Vec<D64> width_counts_, shift_;
  hn::Vec<D8> even_, odd_;
  __mmask64 even_bytes_, odd_bytes_;
};

class Unpacker {
  using D8 = hn::Repartition<uint8_t, DU>;

 public:
  static constexpr size_t kGroup = 16;

  explicit Unpacker(int width) : width_(width) {
    const UnpackTable table = MakeUnpackTable(width, 0, 16);
    shift_ = hn::LoadU(DU(), table.shift.data());
    bytes_ = hn::LoadU(D8(), table.bytes.data());
  }
  // Bytes that Load reads.
  size_t LoadSize() const { return 64; }

  template <class Dequantize>
  HWY_INLINE void Load(const uint8_t* in, const Dequantize& dequantize, MagnitudeMax<DU>* seen, float* out) const {
    const auto bytes = hn::LoadU(D8(), in);
    const VU lanes{_mm512_permutexvar_epi8(bytes_.raw, bytes.raw)};
    hn::StoreU(dequantize(lanes >> shift_, seen), hn::RebindToFloat<DU>(), out);
  }

 private:
  const int width_;
  VU shift_;
  hn::Vec<D8> bytes_;
};

#else
// 8 codes at a time in one or two vectors. Bytes move only within blocks of 128 bits, which hold four codes; at odd
// widths the second block starts in the middle of a byte.
using DU = hn::CappedTag<uint32_t, 8>;
using VU = hn::Vec<DU>;
constexpr size_t kBlockCodes = 4;

class Packer {
  using D64 = hn::Repartition<uint64_t, DU>;
  using D8 = hn::Repartition<uint8_t, DU>;
  using D128 = hn::Full128<uint8_t>;

 public:
  static constexpr size_t kGroup = 8;

  explicit Packer(int width) : width_(width), second_(static_cast<size_t>(width) / 2) {
    for (size_t block = 0; block < 2; ++block) {
      const PackTable table = MakePackTable(width, block == 0 ? 0 : 4 * width % 8, 2);
      hwy::CopyBytes<16>(table.shift.data(), shift_ + 2 * block);
      hwy::CopyBytes<16>(table.even.data(), even_ + 16 * block);
      hwy::CopyBytes<16>(table.odd.data(), odd_ + 16 * block);
    }
  }
  // Bytes that Store writes, of which the first `width` count; the rest is zero.
  size_t StoreSize() const { return second_ + 16; }

  template <class Quantize>
  HWY_INLINE void Store(const float* in, const Quantize& quantize, MagnitudeMax<DU>* seen, uint8_t* out) const {
    const hn::Full128<uint8_t> d128;
#if HWY_MAX_BYTES >= 32
    const auto blocks = Pack(in, 0, quantize, seen);
    const auto first = hn::LowerHalf(blocks), second = hn::UpperHalf(d128, blocks);
#else
    const auto first = Pack(in, 0, quantize, seen), second = Pack(in + kBlockCodes, 1, quantize, seen);
#endif
    hn::StoreU(first, d128, out);
    const uint8_t shared = out[second_];
    hn::StoreU(second, d128, out + second_);
    out[second_] = static_cast<uint8_t>(out[second_] | shared);
  }

 private:
  template <class Quantize>
  HWY_INLINE hn::Vec<D8> Pack(const float* in, size_t block, const Quantize& quantize, MagnitudeMax<DU>* seen) const {
    const VU codes = quantize(hn::BitCast(DU(), hn::LoadU(hn::RebindToFloat<DU>(), in)), seen);
    const auto width = hn::Set(D64(), static_cast<uint64_t>(width_));
    const auto pairs = JoinPairs<DU>(codes, width, width_) << hn::Load(D64(), shift_ + 2 * block);
    const auto bytes = hn::BitCast(D8(), pairs);
    const auto even = hn::TableLookupBytesOr0(bytes, hn::Load(D8(), even_ + 16 * block));
    const auto odd = hn::TableLookupBytesOr0(bytes, hn::Load(D8(), odd_ + 16 * block));
    return hn::Or(even, odd);
  }

  const int width_;
  const size_t second_;  // where the second block starts, in bytes
  alignas(32) uint64_t shift_[4];
  alignas(32) uint8_t even_[32];
  alignas(32) uint8_t odd_[32];
};

class Unpacker {
  using D8 = hn::Repartition<uint8_t, DU>;

 public:
  static constexpr size_t kGroup = 8;

  explicit Unpacker(int width) : second_(static_cast<size_t>(width) / 2) {
    for (size_t block = 0; block < 2; ++block) {
      const UnpackTable table = MakeUnpackTable(width, block == 0 ? 0 : 4 * width % 8, 4);
      hwy::CopyBytes<16>(table.shift.data(), shift_ + 4 * block);
      hwy::CopyBytes<16>(table.bytes.data(), bytes_ + 16 * block);
    }
  }
  // Bytes that Load reads.
  size_t LoadSize() const { return second_ + 16; }

  template <class Dequantize>
  HWY_INLINE void Load(const uint8_t* in, const Dequantize& dequantize, MagnitudeMax<DU>* seen, float* out) const {
    const hn::Full128<uint8_t> d128;
    const hn::RebindToFloat<DU> df;
    const auto first = hn::LoadU(d128, in), second = hn::LoadU(d128, in + second_);
#if HWY_MAX_BYTES >= 32
    hn::StoreU(dequantize(Codes(hn::Combine(D8(), second, first), 0), seen), df, out);
#else
    hn::StoreU(dequantize(Codes(first, 0), seen), df, out);
    hn::StoreU(dequantize(Codes(second, 1), seen), df, out + kBlockCodes);
#endif
  }

 private:
  HWY_INLINE VU Codes(hn::Vec<D8> stream, size_t block) const {
    const auto bytes = hn::TableLookupBytes(stream, hn::Load(D8(), bytes_ + 16 * block));
    return hn::BitCast(DU(), bytes) >> hn::Load(DU(), shift_ + 4 * block);
  }

  const size_t second_;
  alignas(32) uint32_t shift_[8];
  alignas(32) uint8_t bytes_[32];
};
#endif  // HWY_TARGET == HWY_AVX3_DL

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_
