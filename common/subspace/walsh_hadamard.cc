#include "common/subspace/walsh_hadamard.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/subspace/kernels/walsh_hadamard_kernels.h"

namespace thinwire {
namespace {

constexpr size_t kMaxSize = size_t{1} << kMaxWalshLevels;

size_t Blocks(size_t values) { return (values + kWalshBlockValues - 1) / kWalshBlockValues; }

}  // namespace

absl::Status WalshHadamard(absl::Span<float> values) {
  return WalshHadamardOfPart(values, values.size(), values.size());
}

absl::Status WalshHadamardOfPart(absl::Span<float> values, size_t live_in, size_t live_out) {
  const size_t size = values.size();
  if (size == 0 || size > kMaxSize || (size & (size - 1)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a Walsh-Hadamard transform of ", size,
                                                   " values was asked for; their number must be a power of two from 1 "
                                                   "to ",
                                                   kMaxSize, ": pad with zeros"));
  }
  if (live_in > size || live_out > size) {
    return absl::InvalidArgumentError(absl::StrCat("the first ", live_in, " values in and ", live_out,
                                                   " values out of a transform of ", size, " were asked for"));
  }
  int levels = 0;
  while ((size_t{1} << levels) < size) ++levels;
  if (levels <= kWalshBlockLevels) {
    std::fill(values.begin() + static_cast<ptrdiff_t>(live_in), values.end(), 0.0f);
    TransformWalshBlock(values.data(), levels, nullptr);
    return absl::OkStatus();
  }
  const size_t blocks = Blocks(live_in);
  std::fill(values.data() + live_in, values.data() + blocks * kWalshBlockValues, 0.0f);
  for (size_t i = 0; i < blocks; ++i) {
    float* const block = values.data() + i * kWalshBlockValues;
    TransformWalshBlock(block, kWalshBlockLevels, i + 1 < blocks ? block + kWalshBlockValues : nullptr);
  }
  TransformBetweenWalshBlocks(values.data(), levels - kWalshBlockLevels, blocks, Blocks(live_out));
  return absl::OkStatus();
}

}  // namespace thinwire
