// Seeded bijections of 0 .. size - 1 that are computed index by index, either way: no table, whatever the size.
// Integers only, the same on every machine. They are for mixing, not for secrecy. Thread-safe: immutable.
#ifndef THINWIRE_COMMON_SUBSPACE_PERMUTATION_H_
#define THINWIRE_COMMON_SUBSPACE_PERMUTATION_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"

namespace thinwire {

// Of 2^bits indices. Six rounds of
//   x = (x * multiply + add) mod 2^bits;  x = x xor (x >> shift)
// with odd multipliers: a product carries low bits up, a shift by at least half of the bits carries high bits down and
// is its own inverse. Rounds draw multipliers and addends from the key.
class BitPermutation {
 public:
  static constexpr int kRounds = 6;
  static constexpr int kMaxBits = 32;

  // 0 <= bits <= kMaxBits, which the caller has checked.
  BitPermutation(uint64_t key, int bits);

  uint32_t Forward(uint32_t index) const {
    for (int i = 0; i < kRounds; ++i) {
      index = (index * multiply[i] + add[i]) & mask;
      index ^= index >> shift;
    }
    return index;
  }
  uint32_t Inverse(uint32_t index) const {
    for (int i = kRounds - 1; i >= 0; --i) {
      index ^= index >> shift;
      index = ((index - add[i]) * inverse[i]) & mask;
    }
    return index;
  }

  // Public for the kernels, which run the same rounds on vectors.
  uint32_t mask;
  int shift;
  std::array<uint32_t, kRounds> multiply, add, inverse;
};

// Of any number of indices: walks the cycle of a BitPermutation until it is below the size, fewer than two steps on
// average.
class SeededPermutation {
 public:
  static constexpr uint64_t kMaxSize = uint64_t{1} << 32;

  // INVALID_ARGUMENT unless 1 <= size <= kMaxSize.
  static absl::StatusOr<SeededPermutation> Create(uint64_t key, uint64_t size);

  uint64_t size() const { return size_; }
  // index < size().
  uint32_t Forward(uint32_t index) const {
    do index = bits_.Forward(index);
    while (index >= size_);
    return index;
  }
  uint32_t Inverse(uint32_t index) const {
    do index = bits_.Inverse(index);
    while (index >= size_);
    return index;
  }

 private:
  SeededPermutation(const BitPermutation& bits, uint64_t size) : bits_(bits), size_(size) {}

  BitPermutation bits_;
  uint64_t size_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_PERMUTATION_H_
