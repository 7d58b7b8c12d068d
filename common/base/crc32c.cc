#include "common/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

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

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Crc32cSse42(absl::string_view data, uint32_t crc) {
  const char* p = data.data();
  size_t left = data.size();
  uint64_t state = ~crc;
  for (; left >= 8; left -= 8, p += 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    state = __builtin_ia32_crc32di(state, word);
  }
  for (; left > 0; --left, ++p) {
    state = __builtin_ia32_crc32qi(static_cast<uint32_t>(state), static_cast<uint8_t>(*p));
  }
  return ~static_cast<uint32_t>(state);
}
#endif

using Function = uint32_t (*)(absl::string_view, uint32_t);

// The accelerated form is trusted only after it has agreed with the portable one on this machine.
Function Choose() {
#if defined(__x86_64__)
  constexpr absl::string_view kProbe = "the quick brown fox 0123456789";
  if (__builtin_cpu_supports("sse4.2") && Crc32cSse42(kProbe, 7) == Crc32cPortable(kProbe, 7)) return Crc32cSse42;
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
