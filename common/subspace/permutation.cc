#include "common/subspace/permutation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

// Modulo 2^32, of an odd number: each step of Newton's doubles the bits that are right, x itself has 3.
uint32_t InverseOfOdd(uint32_t x) {
  uint32_t inverse = x;
  for (int i = 0; i < 4; ++i) inverse *= 2 - x * inverse;
  return inverse;
}

}  // namespace

BitPermutation::BitPermutation(uint64_t key, int bits)
    : mask(static_cast<uint32_t>((uint64_t{1} << bits) - 1)), shift(std::max(1, (bits + 1) / 2)) {
  RandomStream random(key);
  for (int i = 0; i < kRounds; ++i) {
    multiply[i] = random.NextU32() | 1;
    add[i] = random.NextU32();
    inverse[i] = InverseOfOdd(multiply[i]);
  }
}

absl::StatusOr<SeededPermutation> SeededPermutation::Create(uint64_t key, uint64_t size) {
  if (size == 0 || size > kMaxSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a permutation of ", size, " indices was asked for; there can be 1 to ", kMaxSize));
  }
  int bits = 0;
  while ((uint64_t{1} << bits) < size) ++bits;
  return SeededPermutation(BitPermutation(key, bits), size);
}

}  // namespace thinwire
