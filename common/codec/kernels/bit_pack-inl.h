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
#include <type_traits>

#include "common/codec/kernels/float_math-inl.h"
#include "common/codec/kernels/float_params.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// From Ice Lake and Zen 4 on, one instruction moves the bytes of a whole vector.
#undef THINWIRE_WIDE_BYTES
#define THINWIRE_WIDE_BYTES (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL)

#if THINWIRE_WIDE_BYTES
using DU = hn::ScalableTag<uint32_t>;  // 16 codes, and bytes move anywhere in the vector
constexpr int kBlockCodes = 16;
constexpr size_t kGroup = 16;
#else
using DU = hn::CappedTag<uint32_t, 8>;  // 4 or 8 codes, and bytes move within blocks of 128 bits
constexpr int kBlockCodes = 4;
constexpr size_t kGroup = 8;
#endif
// Where the second block stands in the tables, if it has a vector of its own.
constexpr size_t kSecondVector = HWY_MAX_BYTES == 16 ? 16 : 0;
using VU = hn::Vec<DU>;
using D8 = hn::Repartition<uint8_t, DU>;
using V8 = hn::Vec<D8>;
using D64 = hn::Repartition<uint64_t, DU>;

// Moves the codes of one vector to their places in the stream of their blocks.
template <bool kPairs>
class VectorPacker {
  using DUnit = std::conditional_t<kPairs, D64, DU>;

 public:
  // `offset`: where the vector's part of the tables starts.
  HWY_INLINE VectorPacker(int width, const PackTable& table, size_t offset)
      : shift_(hn::BitCast(DUnit(), hn::LoadU(D8(), table.shift + offset))),
        even_(hn::LoadU(D8(), table.even + offset)),
        odd_(hn::LoadU(D8(), table.odd + offset)),
        width_counts_(hn::Set(D64(), static_cast<uint64_t>(width))),
        width_(width) {}

  HWY_INLINE V8 operator()(VU codes) const {
    const V8 units = hn::BitCast(D8(), Unit(codes) << shift_);
#if THINWIRE_WIDE_BYTES
    const __m512i even = _mm512_maskz_permutexvar_epi8(~_mm512_movepi8_mask(even_.raw), even_.raw, units.raw);
    const __m512i odd = _mm512_maskz_permutexvar_epi8(~_mm512_movepi8_mask(odd_.raw), odd_.raw, units.raw);
    return V8{_mm512_or_si512(even, odd)};
#else
    return hn::Or(hn::TableLookupBytesOr0(units, even_), hn::TableLookupBytesOr0(units, odd_));
#endif
  }

 private:
  HWY_INLINE hn::Vec<DUnit> Unit(VU codes) const {
    if constexpr (kPairs) {
      const auto pairs = hn::BitCast(D64(), codes);
      const auto upper = ShiftLeftBy(hn::ShiftRight<32>(pairs), width_counts_, width_);
      return hn::OrAnd(upper, pairs, hn::Set(D64(), uint64_t{0xffffffff}));
    } else {
      return codes;
    }
  }

  const hn::Vec<DUnit> shift_;
  const V8 even_, odd_;
  const hn::Vec<D64> width_counts_;
  const int width_;
};

// Writes groups of codes. `quantize(values)` gives the codes of a vector.
template <bool kPairs>
class Packer {
 public:
  HWY_INLINE explicit Packer(int width) : Packer(width, MakePackTable(width, kPairs, kBlockCodes)) {}

  // Bytes that Store writes; kGroup * width / 8 of them count.
#if THINWIRE_WIDE_BYTES
  HWY_INLINE size_t StoreSize() const { return narrow_ ? 32 : 64; }

  template <class Quantize>
  HWY_INLINE void Store(const float* in, Quantize* quantize, uint8_t* out) const {
    const V8 bytes = first_((*quantize)(in));
    if (narrow_) {
      hn::StoreU(hn::LowerHalf(bytes), hn::Half<D8>(), out);
    } else {
      hn::StoreU(bytes, D8(), out);
    }
  }
#else
  HWY_INLINE size_t StoreSize() const { return second_block_ + 16; }

  template <class Quantize>
  HWY_INLINE void Store(const float* in, Quantize* quantize, uint8_t* out) const {
    const hn::Full128<uint8_t> d128;
#if HWY_MAX_BYTES >= 32
    const V8 blocks = first_((*quantize)(in));
    const auto first = hn::LowerHalf(blocks), second = hn::UpperHalf(d128, blocks);
#else
    const V8 first = first_((*quantize)(in)), second = second_((*quantize)(in + kBlockCodes));
#endif
    hn::StoreU(first, d128, out);
    const uint8_t shared = out[second_block_];
    hn::StoreU(second, d128, out + second_block_);
    out[second_block_] = static_cast<uint8_t>(out[second_block_] | shared);
  }
#endif

 private:
  HWY_INLINE Packer(int width, const PackTable& table)
      : first_(width, table, 0),
        second_(width, table, kSecondVector),
        second_block_(static_cast<size_t>(width) / 2),
        narrow_(width <= 16) {}

  const VectorPacker<kPairs> first_, second_;  // second_: for vectors of one block
  const size_t second_block_;                  // where the second block starts in the stream
  const bool narrow_;
};

// Reads groups of codes. `dequantize(codes, out)` stores the values of a vector; bits above a code are not cleared.
class Unpacker {
 public:
  HWY_INLINE explicit Unpacker(int width) : Unpacker(width, MakeUnpackTable(width, kBlockCodes)) {}

  // Bytes that Load reads.
#if THINWIRE_WIDE_BYTES
  HWY_INLINE size_t LoadSize() const { return 64; }

  template <class Dequantize>
  HWY_INLINE void Load(const uint8_t* in, Dequantize* dequantize, float* out) const {
    const V8 lanes{_mm512_permutexvar_epi8(bytes_.raw, hn::LoadU(D8(), in).raw)};
    (*dequantize)(hn::BitCast(DU(), lanes) >> shift_, out);
  }
#else
  HWY_INLINE size_t LoadSize() const { return second_block_ + 16; }

  template <class Dequantize>
  HWY_INLINE void Load(const uint8_t* in, Dequantize* dequantize, float* out) const {
    const hn::Full128<uint8_t> d128;
    const auto first = hn::LoadU(d128, in), second = hn::LoadU(d128, in + second_block_);
#if HWY_MAX_BYTES >= 32
    const V8 lanes = hn::TableLookupBytes(hn::Combine(D8(), second, first), bytes_);
    (*dequantize)(hn::BitCast(DU(), lanes) >> shift_, out);
#else
    (*dequantize)(hn::BitCast(DU(), hn::TableLookupBytes(first, bytes_)) >> shift_, out);
    const V8 lanes = hn::TableLookupBytes(second, second_bytes_);
    (*dequantize)(hn::BitCast(DU(), lanes) >> second_shift_, out + kBlockCodes);
#endif
  }
#endif

 private:
  HWY_INLINE Unpacker(int width, const UnpackTable& table)
      : shift_(hn::LoadU(DU(), table.shift)),
        second_shift_(hn::LoadU(DU(), table.shift + kSecondVector / 4)),
        bytes_(hn::LoadU(D8(), table.bytes)),
        second_bytes_(hn::LoadU(D8(), table.bytes + kSecondVector)),
        second_block_(static_cast<size_t>(width) / 2) {}

  const VU shift_, second_shift_;  // second_: for vectors of one block
  const V8 bytes_, second_bytes_;
  const size_t second_block_;
};

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_CODEC_KERNELS_BIT_PACK_INL_H_
