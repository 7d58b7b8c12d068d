// Randomised Hadamard rotations of a vector in blocks that are powers of two, so that none is padded to the next power
// of two as a whole (552,874 values would become 1,048,576, 1.9 times the bits). Both ends derive the signs from a
// seed. Values are the same on every machine. Pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_ROTATION_H_
#define THINWIRE_COMMON_QUANTIZE_ROTATION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

constexpr int kMinBlockLog2 = 6;
constexpr int kMaxBlockLog2 = 24;

struct RotationBlock {
  uint64_t first = 0;   // flat position
  uint32_t size = 0;    // values
  uint32_t padded = 0;  // a power of two, `size` but for a last block below 2^kMinBlockLog2
};
// The largest blocks first: powers of two of at most 2^block_log2, by the bits of `count`; what is left below
// 2^kMinBlockLog2 is one block, padded with zeros.
std::vector<RotationBlock> RotationBlocks(uint64_t count, int block_log2);

// In place: H D x, with H unnormalised (its square is the size times I) and D the signs of `key` and this rotation.
// The size is a power of two of at most 2^kMaxBlockLog2.
void Rotate(uint64_t key, absl::Span<float> block);
// D H z: Rotate's inverse times the size.
void RotateBack(uint64_t key, absl::Span<float> block);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_ROTATION_H_
