#include "common/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace thinwire {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, bit-reversed

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

using Function = uint32_t (*)(absl::string_view, uint32_t);

#if defined(__x86_64__)
// Continues a bare state (without the inversions at both ends) with the processor's CRC instruction.
__attribute__((target("sse4.2"))) uint32_t ExtendByInstruction(const char* p, size_t left, uint32_t start) {
  uint64_t state = start;
  for (; left >= 8; left -= 8, p += 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    state = _mm_crc32_u64(state, word);
  }
  for (; left > 0; --left, ++p) state = _mm_crc32_u8(static_cast<uint32_t>(state), static_cast<uint8_t>(*p));
  return static_cast<uint32_t>(state);
}

__attribute__((target("sse4.2"))) uint32_t Crc32cSse42(absl::string_view data, uint32_t crc) {
  return ~ExtendByInstruction(data.data(), data.size(), ~crc);
}

// Folding by carry-less multiplication (Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ",
// 2009): 16 bytes of message, taken as a polynomial, may be replaced by a multiple added to the 16 bytes that lie
// `distance` bits further on, modulo the CRC's polynomial. What is left at the end has the CRC of the whole.

// x^n modulo the polynomial, bit-reversed and shifted up by one as the folding of reversed polynomials wants it.
constexpr uint64_t PowerOfX(int n) {
  uint32_t value = 0x80000000u;
  for (; n > 0; --n) value = (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
  return uint64_t{value} << 1;
}
constexpr uint64_t LowFactor(int distance) { return PowerOfX(distance + 32); }
constexpr uint64_t HighFactor(int distance) { return PowerOfX(distance - 32); }

#define THINWIRE_FOLD_TARGET __attribute__((target("sse4.2,pclmul")))

THINWIRE_FOLD_TARGET inline __m128i LoadBlock(const char* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// `block`, moved on by `distance` bits and added to `next`.
THINWIRE_FOLD_TARGET inline __m128i Fold(__m128i block, __m128i factors, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(block, factors, 0x00), high = _mm_clmulepi64_si128(block, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}
template <int kDistance>
THINWIRE_FOLD_TARGET inline __m128i Factors() {
  return _mm_set_epi64x(static_cast<int64_t>(HighFactor(kDistance)), static_cast<int64_t>(LowFactor(kDistance)));
}

// The state after four neighbouring blocks, to which an earlier state has been added.
THINWIRE_FOLD_TARGET inline uint32_t ReduceBlocks(const __m128i blocks[4]) {
  const __m128i factors = Factors<128>();
  const __m128i last = Fold(Fold(Fold(blocks[0], factors, blocks[1]), factors, blocks[2]), factors, blocks[3]);
  const uint64_t state = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(last)));
  return static_cast<uint32_t>(_mm_crc32_u64(state, static_cast<uint64_t>(_mm_extract_epi64(last, 1))));
}

THINWIRE_FOLD_TARGET uint32_t Crc32cClmul(absl::string_view data, uint32_t crc) {
  constexpr size_t kStep = 64;
  const char* p = data.data();
  size_t left = data.size();
  uint32_t state = ~crc;
  if (left >= 2 * kStep) {
    __m128i blocks[4];
    for (int i = 0; i < 4; ++i) blocks[i] = LoadBlock(p + 16 * i);
    blocks[0] = _mm_xor_si128(blocks[0], _mm_cvtsi32_si128(static_cast<int>(state)));
    const __m128i factors = Factors<8 * kStep>();
    for (p += kStep, left -= kStep; left >= kStep; p += kStep, left -= kStep) {
      for (int i = 0; i < 4; ++i) blocks[i] = Fold(blocks[i], factors, LoadBlock(p + 16 * i));
    }
    state = ReduceBlocks(blocks);
  }
  return ~ExtendByInstruction(p, left, state);
}

#define THINWIRE_WIDE_FOLD_TARGET __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq")))

THINWIRE_WIDE_FOLD_TARGET inline __m512i WideFold(__m512i blocks, __m512i factors, __m512i next) {
  const __m512i low = _mm512_clmulepi64_epi128(blocks, factors, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(blocks, factors, 0x11);
  return _mm512_ternarylogic_epi64(low, high, next, 0x96);  // XOR of all three
}

template <int kDistance>
THINWIRE_WIDE_FOLD_TARGET inline __m512i WideFactors() {
  constexpr int64_t kLow = static_cast<int64_t>(LowFactor(kDistance)),
                    kHigh = static_cast<int64_t>(HighFactor(kDistance));
  return _mm512_set_epi64(kHigh, kLow, kHigh, kLow, kHigh, kLow, kHigh, kLow);
}

// The same in four vectors of four blocks.
THINWIRE_WIDE_FOLD_TARGET uint32_t Crc32cWideClmul(absl::string_view data, uint32_t crc) {
  constexpr size_t kStep = 256;
  const char* p = data.data();
  size_t left = data.size();
  uint32_t state = ~crc;
  if (left >= 2 * kStep) {
    __m512i rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = _mm512_loadu_si512(p + 64 * i);
    rows[0] = _mm512_xor_si512(rows[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
    const __m512i factors = WideFactors<8 * kStep>();
    for (p += kStep, left -= kStep; left >= kStep; p += kStep, left -= kStep) {
      for (int i = 0; i < 4; ++i) rows[i] = WideFold(rows[i], factors, _mm512_loadu_si512(p + 64 * i));
    }
    const __m512i row_factors = WideFactors<512>();
    for (int i = 1; i < 4; ++i) rows[i] = WideFold(rows[i - 1], row_factors, rows[i]);
    __m128i blocks[4];
    _mm512_storeu_si512(blocks, rows[3]);
    state = ReduceBlocks(blocks);
  }
  return ~ExtendByInstruction(p, left, state);
}

// An accelerated form is trusted only after it has agreed with the portable one on this machine, at lengths that take
// every branch.
bool Agrees(Function function) {
  std::array<char, 1200> probe{};
  for (size_t i = 0; i < probe.size(); ++i) probe[i] = static_cast<char>(i * i * 31 + i);
  for (const size_t size : {0u, 1u, 7u, 31u, 64u, 127u, 128u, 200u, 511u, 512u, 768u, 1199u}) {
    const absl::string_view piece(probe.data() + size % 3, size - (size > 2 ? size % 3 : 0));
    if (function(piece, 7) != Crc32cPortable(piece, 7)) return false;
  }
  return true;
}
#endif

Function Choose() {
#if defined(__x86_64__)
  const bool sse42 = __builtin_cpu_supports("sse4.2"), clmul = sse42 && __builtin_cpu_supports("pclmul");
  const bool wide = clmul && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
  if (wide && Agrees(Crc32cWideClmul)) return Crc32cWideClmul;
  if (clmul && Agrees(Crc32cClmul)) return Crc32cClmul;
  if (sse42 && Agrees(Crc32cSse42)) return Crc32cSse42;
#endif
  return Crc32cPortable;
}

}  // namespace

uint32_t Crc32cPortable(absl::string_view data, uint32_t crc) {
  uint32_t state = ~crc;
  for (const char c : data) state = kTable[(state ^ static_cast<uint8_t>(c)) & 0xff] ^ (state >> 8);
  return ~state;
}

uint32_t Crc32c(absl::string_view data, uint32_t crc) {
  static const Function function = Choose();
  return function(data, crc);
}

}  // namespace thinwire
