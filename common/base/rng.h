// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// The i-th block depends on the key and i alone, so both ends of a wire, any thread and any CPU get the same numbers.
// Thread-safe: every call is a pure function of the object's constants, except on RandomStream.
#ifndef THINWIRE_COMMON_BASE_RNG_H_
#define THINWIRE_COMMON_BASE_RNG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace thinwire {

using PhiloxBlock = std::array<uint32_t, 4>;

// Ten rounds of Philox on a 128-bit counter under a 64-bit key.
PhiloxBlock Philox4x32(PhiloxBlock counter, uint64_t key);

// Folds words (run seed, round, client hash, tensor, purpose ...) into one 64-bit key.
uint64_t DeriveKey(std::initializer_list<uint64_t> words);
// A stable 64-bit name for a text, for use as a word of DeriveKey (first 8 bytes of its SHA-256, little-endian).
uint64_t KeyWord(absl::string_view text);

// A sequence of numbers from one key. Not thread-safe. Uses only integer and IEEE basic operations, so that its output
// is the same on every machine.
class RandomStream {
 public:
  // Begins after the first `skipped` numbers of NextU32, at no cost.
  explicit RandomStream(uint64_t key, uint64_t skipped = 0) : key_(key), index_(skipped / 4) {
    for (uint64_t i = 0; i < skipped % 4; ++i) NextU32();
  }
  uint32_t NextU32();
  uint64_t NextU64();
  // Uniform in [0, bound), without modulo bias. bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [0, 1), a multiple of 2^-53.
  double NextDouble();

  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

 private:
  uint64_t key_;
  uint64_t index_;
  PhiloxBlock block_{};
  int used_ = 4;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_RNG_H_
