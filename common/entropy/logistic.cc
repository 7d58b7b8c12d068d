#include "common/entropy/logistic.h"

#include <algorithm>

namespace thinwire {
namespace {

// exp(-1 / 256) and 1 in units of 2^-62.
constexpr uint64_t kDecay = 4593706758521714574u;
constexpr uint64_t kOne = uint64_t{1} << 62;

// a * b * 2^-62 of a, b <= 2^62, by halves of 31 bits; the low product is left out.
uint64_t Times(uint64_t a, uint64_t b) {
  constexpr uint64_t kHalf = (uint64_t{1} << 31) - 1;
  const uint64_t middle = (a >> 31) * (b & kHalf) + (a & kHalf) * (b >> 31);
  return (a >> 31) * (b >> 31) + (middle >> 31);
}

// floor(2^12 log2(x)) of x >= 1, by squaring: one bit of the logarithm at a time.
uint32_t Log2(uint32_t x) {
  int exponent = 31;
  while (((x >> exponent) & 1) == 0) --exponent;
  uint64_t mantissa = (uint64_t{x} << 31) >> exponent;  // 1 .. 2 in units of 2^-31
  uint32_t log = static_cast<uint32_t>(exponent);
  for (int bit = 0; bit < kCostBits; ++bit) {
    mantissa = (mantissa * mantissa) >> 31;
    const bool carry = mantissa >> 32 != 0;
    if (carry) mantissa >>= 1;
    log = 2 * log + (carry ? 1 : 0);
  }
  return log;
}

// The first log odds whose probability is at least p.
int16_t FirstReaching(const std::array<uint16_t, 2 * kMaxLogOdds + 1>& squash, int p) {
  const auto at = std::lower_bound(squash.begin(), squash.end(), p);
  return static_cast<int16_t>(std::min<int>(static_cast<int>(at - squash.begin()) - kMaxLogOdds, kMaxLogOdds));
}

}  // namespace

LogisticTables::LogisticTables() {
  uint64_t power = kOne;  // exp(-i / 256)
  for (int i = 0; i <= kMaxLogOdds; ++i) {
    // 1 / (1 + exp(-i / 256)), rounded, in units of 2^-16.
    const uint64_t divisor = (kOne + power) >> 17;
    const uint64_t p = (kOne / divisor + 1) >> 1;
    squash[kMaxLogOdds + i] = static_cast<uint16_t>(std::min<uint64_t>(p, kProbabilityOne - 1));
    squash[kMaxLogOdds - i] = static_cast<uint16_t>(kProbabilityOne - squash[kMaxLogOdds + i]);
    power = Times(power, kDecay);
  }
  // In the middle, where the log odds are flat, 16 probabilities share theirs.
  for (int p = 4096; p <= kProbabilityOne - 4096; ++p) {
    stretch[p] = p % 16 == 0 ? FirstReaching(squash, p + 8) : stretch[p - 1];
  }
  for (int p = 1; p < 4096; ++p) {
    stretch[p] = FirstReaching(squash, p);
    stretch[kProbabilityOne - p] = static_cast<int16_t>(-stretch[p]);
  }
  stretch[0] = stretch[1];
  for (int i = 0; i <= 4096; ++i) cost[i] = (16u << kCostBits) - Log2(static_cast<uint32_t>(std::max(16 * i, 4)));
}

const LogisticTables& Logistic() {
  static const LogisticTables tables;
  return tables;
}

}  // namespace thinwire
