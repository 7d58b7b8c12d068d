// An estimate of the probability that a bit is 1, learned from the bits that were seen in its context: the mean of the
// first few, then a mean that forgets. Integers only.
#ifndef THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_
#define THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_

#include <array>
#include <cstdint>

#include "common/entropy/lanes.h"
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
    const int p = unlimited_p();
    return p == 0 ? 1 : p;
  }
  // The same, but 0 where that is 1: Stretch takes either.
  int unlimited_p() const { return static_cast<int>(state_ >> 16); }
  // The mean is over about `limit` bits, at most kMaxCount.
  void Update(bool bit, uint32_t limit) {
    const uint32_t count = state_ & 1023;
    const int64_t p = state_ >> 10;  // 22 bits
    const int64_t target = bit ? (1 << 22) - 1 : 0;
    const int64_t moved = p + (((target - p) * kReciprocals.values[count]) >> 16);
    state_ = static_cast<uint32_t>(moved) << 10 | (count < limit ? count + 1 : count);
  }

  // Update of several at a time, all by the same bit.
  template <int kCount>
  static void UpdateStates(Lanes<uint32_t, kCount>* states, bool bit, uint32_t limit);
  uint32_t state() const { return state_; }
  void set_state(uint32_t state) { state_ = state; }

 private:
  uint32_t state_ = 1u << 31;  // 22 bits of probability, 10 bits of count
};

// As Update, but without a table and within 32 bits. Dividing binary32 numbers and cutting the quotient is exact here:
// were it not, kReciprocals[n] would be nearer to the next integer than 2^-24 of itself, and it never is nearer than
// 2^-17 (adaptive_bit_test has all counts). The product is taken in two parts of the way to go, high and low bits.
template <int kCount>
inline void AdaptiveBit::UpdateStates(Lanes<uint32_t, kCount>* states, bool bit, uint32_t limit) {
  using Signed = Lanes<int32_t, kCount>;
  using Floats = Lanes<float, kCount>;
  const Lanes<uint32_t, kCount> count = *states & 1023;
  const Signed p = reinterpret_cast<Signed>(*states >> 10), way = (bit ? (1 << 22) - 1 : 0) - p;
  const Floats divisor = __builtin_convertvector(reinterpret_cast<Signed>(2 * count + 3), Floats);
  const Signed reciprocal = __builtin_convertvector(131072.0f / divisor, Signed);
  const Signed moved = p + (((way >> 8) * reciprocal + (((way & 255) * reciprocal) >> 8)) >> 8);
  const auto more = reinterpret_cast<Lanes<uint32_t, kCount>>(count < limit) & 1;
  *states = reinterpret_cast<Lanes<uint32_t, kCount>>(moved) << 10 | (count + more);
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_ADAPTIVE_BIT_H_
