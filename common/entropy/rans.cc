#include "common/entropy/rans.h"

#include <algorithm>
#include <numeric>

#include "common/entropy/logistic.h"

namespace thinwire {

std::vector<uint32_t> RansFrequencies(absl::Span<const uint64_t> counts) {
  std::vector<uint32_t> frequencies(std::max<size_t>(counts.size(), 1));
  const uint64_t total = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  uint32_t sum = 0;
  for (size_t i = 0; i < counts.size() && total > 0; ++i) {
    if (counts[i] == 0) continue;
    frequencies[i] = std::max(static_cast<uint32_t>((counts[i] * kRansTotal + total / 2) / total), 1u);
    sum += frequencies[i];
  }
  // Rounding is made good where it matters least.
  while (sum != kRansTotal) {
    uint32_t& largest = *std::max_element(frequencies.begin(), frequencies.end());
    if (sum < kRansTotal) {
      largest += kRansTotal - sum;
      sum = kRansTotal;
    } else {
      const uint32_t less = std::min(sum - kRansTotal, (largest + 1) / 2);
      largest -= less;
      sum -= less;
    }
  }
  return frequencies;
}

uint32_t RansCost(uint32_t frequency) { return Logistic().cost[frequency]; }

RansTable::RansTable(absl::Span<const uint32_t> frequencies) {
  uint32_t start = 0;
  for (size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    for (uint32_t i = 0; i < frequencies[symbol]; ++i) {
      slots_[start + i] = {static_cast<uint16_t>(symbol), static_cast<uint16_t>(frequencies[symbol] - 1),
                           static_cast<uint16_t>(i)};
    }
    start += frequencies[symbol];
  }
}

}  // namespace thinwire
