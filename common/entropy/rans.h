// Static range variant of asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013; the layout of states
// and words is that of Giesen, "Interleaved entropy coders", 2014): much faster than an adaptive coder, for symbols
// whose frequencies are known and sent. 32-bit states, words of 16 bits, frequencies in units of 2^-12. Pure; integers
// only.
#ifndef THINWIRE_COMMON_ENTROPY_RANS_H_
#define THINWIRE_COMMON_ENTROPY_RANS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

constexpr int kRansBits = 12;
constexpr uint32_t kRansTotal = 1u << kRansBits;
constexpr uint32_t kRansLow = 1u << 16;  // states are kRansLow .. 2^32 - 1; coding starts, and decoding ends, with it

// Frequencies that add up to kRansTotal, at least 1 where a count is not 0. All counts 0: all of it goes to symbol 0.
// At most kRansTotal symbols with counts, 2^40 in all.
std::vector<uint32_t> RansFrequencies(absl::Span<const uint64_t> counts);

// What a symbol of that frequency costs, in units of 2^-12 bits. Not 0.
uint32_t RansCost(uint32_t frequency);

// Codes backwards: the last symbol first.
class RansEncoder {
 public:
  explicit RansEncoder(std::vector<uint16_t>* words) : words_(words) {}
  void Encode(uint32_t start, uint32_t frequency, uint32_t* state) {
    if (*state >= uint64_t{frequency} << (32 - kRansBits)) {
      words_->push_back(static_cast<uint16_t>(*state));
      *state >>= 16;
    }
    *state = ((*state / frequency) << kRansBits) + *state % frequency + start;
  }

 private:
  std::vector<uint16_t>* const words_;
};

// The symbols of one table, ready to be looked up by the low bits of a state.
class RansTable {
 public:
  // Frequencies must add up to kRansTotal; at most 2^16 of them.
  explicit RansTable(absl::Span<const uint32_t> frequencies);

  struct Slot {
    uint16_t symbol, frequency_less_one, offset;
  };
  const Slot& at(uint32_t state) const { return slots_[state & (kRansTotal - 1)]; }
  // What is left of a state once its symbol is taken; below kRansLow, 16 bits more are due.
  static uint32_t Rest(const Slot& slot, uint32_t state) {
    return (slot.frequency_less_one + 1u) * (state >> kRansBits) + slot.offset;
  }

 private:
  std::array<Slot, kRansTotal> slots_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_RANS_H_
