#include "common/base/rng.h"

#include <cstring>

#include "common/base/digest.h"

namespace thinwire {

PhiloxBlock Philox4x32(PhiloxBlock counter, uint64_t key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMultiplier0 * counter[0], p1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return counter;
}

uint64_t DeriveKey(std::initializer_list<uint64_t> words) {
  uint64_t key = 0x7468696e77697265;  // "thinwire"
  uint32_t position = 0;
  for (const uint64_t word : words) {
    const PhiloxBlock out = Philox4x32({static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32), position++,
                                        static_cast<uint32_t>(words.size())},
                                       key);
    key = out[0] | (uint64_t{out[1]} << 32);
  }
  return key;
}

uint64_t KeyWord(absl::string_view text) {
  const Digest digest = Sha256(text);
  uint64_t word = 0;
  for (int i = 7; i >= 0; --i) word = (word << 8) | digest.bytes[i];
  return word;
}

uint32_t RandomStream::NextU32() {
  if (used_ == 4) {
    block_ = Philox4x32({static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32), 0, 0}, key_);
    ++index_;
    used_ = 0;
  }
  return block_[used_++];
}

uint64_t RandomStream::NextU64() {
  const uint64_t low = NextU32();
  return low | (uint64_t{NextU32()} << 32);
}

uint64_t RandomStream::Below(uint64_t bound) {
  const uint64_t limit = ~uint64_t{0} - ~uint64_t{0} % bound;
  uint64_t value = NextU64();
  while (value >= limit) value = NextU64();
  return value % bound;
}

double RandomStream::NextDouble() { return static_cast<double>(NextU64() >> 11) * 0x1p-53; }

}  // namespace thinwire
