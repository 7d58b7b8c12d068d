#include "common/quantize/rotation.h"

#include <algorithm>

#include "common/base/random_bits.h"
#include "common/subspace/walsh_hadamard.h"

namespace thinwire {
namespace {

void FlipSigns(uint64_t key, absl::Span<float> block) {
  constexpr size_t kWords = 1024;  // at a time
  uint32_t words[kWords];
  for (size_t first = 0; first < block.size(); first += kWords * 32) {
    const size_t count = std::min(kWords * 32, block.size() - first);
    FillRandomWords(key, first / 32 / 4, absl::MakeSpan(words, (count + 31) / 32));
    for (size_t i = 0; i < count; ++i) {
      if ((words[i / 32] >> i % 32 & 1) != 0) block[first + i] = -block[first + i];
    }
  }
}

void Transform(absl::Span<float> block) {
  WalshHadamard(block).IgnoreError();  // the size is a lawful power of two
}

}  // namespace

std::vector<RotationBlock> RotationBlocks(uint64_t count, int block_log2) {
  std::vector<RotationBlock> blocks;
  uint64_t first = 0;
  for (int level = block_log2; level >= kMinBlockLog2; --level) {
    const uint32_t size = 1u << level;
    for (; count - first >= size; first += size) blocks.push_back({first, size, size});
  }
  if (first == count) return blocks;
  uint32_t padded = 1;
  while (padded < count - first) padded *= 2;
  blocks.push_back({first, static_cast<uint32_t>(count - first), padded});
  return blocks;
}

void Rotate(uint64_t key, absl::Span<float> block) {
  FlipSigns(key, block);
  Transform(block);
}

void RotateBack(uint64_t key, absl::Span<float> block) {
  Transform(block);
  FlipSigns(key, block);
}

}  // namespace thinwire
