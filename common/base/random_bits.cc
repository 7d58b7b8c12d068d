// One translation per instruction set, chosen at run time.
#include "common/base/random_bits.h"

#include <algorithm>
#include <array>
#include <cstring>

// The same sets as float_kernels.cc: the two are used together.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/base/random_bits.cc"
#include "common/base/rng.h"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

size_t WholeBlocksHere(uint64_t, uint64_t, size_t, uint32_t*) { return 0; }

#else

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<uint32_t>;
using V = hn::Vec<D>;
using D64 = hn::Repartition<uint64_t, D>;

// Lower and upper halves of the lanes' 64-bit products.
struct Products {
  V low, high;
};
HWY_INLINE Products Multiply(V a, V b) {
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(D(), hn::ShiftRight<32>(hn::BitCast(D64(), a))), b);
  return {hn::OddEven(hn::BitCast(D(), hn::ShiftLeft<32>(odd)), hn::BitCast(D(), even)),
          hn::OddEven(hn::BitCast(D(), odd), hn::BitCast(D(), hn::ShiftRight<32>(even)))};
}

// Writes the words of as many whole vectors of blocks as there are; returns how many blocks.
size_t WholeBlocksHere(uint64_t key, uint64_t first, size_t blocks, uint32_t* out) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;  // as in rng.cc
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V multiplier0 = hn::Set(d, kMultiplier0), multiplier1 = hn::Set(d, kMultiplier1);
  size_t done = 0;
  for (; done + lanes <= blocks; done += lanes) {
    const uint64_t block = first + done;
    const uint32_t low = static_cast<uint32_t>(block);
    if (low > 0xffffffffu - static_cast<uint32_t>(lanes)) break;  // a carry into the upper half: one block at a time
    V c0 = hn::Iota(d, low), c1 = hn::Set(d, static_cast<uint32_t>(block >> 32)), c2 = hn::Zero(d), c3 = hn::Zero(d);
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round, k0 += kWeyl0, k1 += kWeyl1) {
      const Products p0 = Multiply(c0, multiplier0), p1 = Multiply(c2, multiplier1);
      c0 = hn::Xor(hn::Xor(p1.high, c1), hn::Set(d, k0));
      c1 = p1.low;
      c2 = hn::Xor(hn::Xor(p0.high, c3), hn::Set(d, k1));
      c3 = p0.low;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, out + 4 * done);
  }
  return done;
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thinwire {
namespace {

HWY_EXPORT(WholeBlocksHere);

PhiloxBlock BlockAt(uint64_t key, uint64_t block) {
  return Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
}

void CopyHalves(const uint32_t* words, size_t count, uint16_t* out) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::memcpy(out, words, count * sizeof(uint16_t));
#else
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
#endif
}

}  // namespace

void FillRandomWords(uint64_t key, uint64_t first_block, absl::Span<uint32_t> out) {
  size_t at = 0;
  while (at < out.size()) {
    const uint64_t block = first_block + at / 4;
    at += 4 * HWY_DYNAMIC_DISPATCH(WholeBlocksHere)(key, block, (out.size() - at) / 4, out.data() + at);
    if (at == out.size()) return;
    const PhiloxBlock words = BlockAt(key, first_block + at / 4);
    const size_t count = std::min<size_t>(4, out.size() - at);
    std::copy_n(words.begin(), count, out.begin() + static_cast<ptrdiff_t>(at));
    at += count;
  }
}

void FillRandomHalves(uint64_t key, uint64_t first_block, absl::Span<uint16_t> out) {
  constexpr size_t kWords = 512;
  std::array<uint32_t, kWords> words;
  for (size_t at = 0; at < out.size(); at += 2 * kWords) {
    const size_t count = std::min(2 * kWords, out.size() - at);
    FillRandomWords(key, first_block + at / 8, absl::MakeSpan(words.data(), (count + 1) / 2));
    CopyHalves(words.data(), count, out.data() + at);
  }
}

}  // namespace thinwire
#endif  // HWY_ONCE
