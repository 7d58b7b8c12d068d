// An estimate of the probability that a bit is 1, learned from the bits that were seen in its context: the mean of the
// first few, then a mean that forgets. Integers only.
#ifndef THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_
#define THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_

#include <array>
#include <cstdint>

#include "common/entropy/logistic.h"

namespace thinwire {

// kReciprocals[n] = 65536 / (n + 1.5).
constexpr int kMaxCount = 1023;
struct CountReciprocals {
  constexpr CountReciprocals() : values() {
    for (uint32_t n = 0; n <= kMaxCount; ++n) values[n] = 131072 / (2 * n + 3);
  }
  std::array<uint32_t, kMaxCount + 1> values;
};
inline constexpr CountReciprocals kReciprocals;

class AdaptiveBit {
 public:
  AdaptiveBit() = default;
  // As if `count` bits with that share of ones had been seen already.
  AdaptiveBit(int p, int count) : state_(static_cast<uint32_t>(p) << 16 | static_cast<uint32_t>(count)) {}

  // 1 .. 65535, in units of 2^-16.
  int p() const {
    const int p = static_cast<int>(state_ >> 16);
    return p == 0 ? 1 : p;
  }
  // The mean is over about `limit` bits, at most kMaxCount.
  void Update(bool bit, uint32_t limit) {
    const uint32_t count = state_ & 1023;
    const int64_t p = state_ >> 10;  // 22 bits
    const int64_t target = bit ? (1 << 22) - 1 : 0;
    const int64_t moved = p + (((target - p) * kReciprocals.values[count]) >> 16);
    state_ = static_cast<uint32_t>(moved) << 10 | (count < limit ? count + 1 : count);
  }

 private:
  uint32_t state_ = 1u << 31;  // 22 bits of probability, 10 bits of count
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_
