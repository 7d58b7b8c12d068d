// The inner loops of the Walsh-Hadamard transform, on the best instruction set of the processor. Every one gives the
// bits of walsh_hadamard_scalar.h. Pure; thread-safe. Buffers need no alignment; multiples of 64 bytes are fastest.
#ifndef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_KERNELS_H_
#define THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_KERNELS_H_

#include <cstddef>

namespace thinwire {

// A transform of more values than this is done block by block, then between blocks: 256 KiB lie in a second-level
// cache.
constexpr int kWalshBlockLevels = 16;
constexpr size_t kWalshBlockValues = size_t{1} << kWalshBlockLevels;

// All levels of 2^levels values, 0 <= levels <= kWalshBlockLevels. `next`: null, or 2^levels values that will be needed
// next, which are brought into the cache meanwhile.
void TransformWalshBlock(float* values, int levels, const float* next);

// The levels between 2^levels blocks that lie one after the other, 1 <= levels <= 14. Blocks from `live_in` on count as
// zero, whatever they hold; blocks from `live_out` on are not wanted, and hold anything afterwards. Allocates at most 2
// MiB.
void TransformBetweenWalshBlocks(float* values, int levels, size_t live_in, size_t live_out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_KERNELS_H_
