// Many random bits at once: the numbers of Philox4x32 (rng.h), a vector of blocks at a time. Pure; thread-safe.
#ifndef THINWIRE_COMMON_BASE_RANDOM_BITS_H_
#define THINWIRE_COMMON_BASE_RANDOM_BITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace thinwire {

// out[i] is word i % 4 of Philox4x32({low, high of block first_block + i / 4, 0, 0}, key): what RandomStream(key) gives
// from its 4 * first_block-th number on. The same on every machine and instruction set.
void FillRandomWords(uint64_t key, uint64_t first_block, absl::Span<uint32_t> out);

// Eight halves a block, low half of each word first.
void FillRandomHalves(uint64_t key, uint64_t first_block, absl::Span<uint16_t> out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_RANDOM_BITS_H_
