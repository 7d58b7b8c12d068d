// One translation of the kernels per instruction set, chosen at run time.
#include "common/subspace/kernels/walsh_hadamard_kernels.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>

// The same sets as the kernels of common/codec.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/subspace/kernels/walsh_hadamard_kernels.cc"
#include "common/subspace/kernels/walsh_hadamard_scalar.h"
#include "hwy/aligned_allocator.h"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#if HWY_TARGET != HWY_SCALAR
#include "common/subspace/kernels/walsh_columns-inl.h"
#include "common/subspace/kernels/walsh_hadamard-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void TransformWalshBlockHere(float* values, int levels, const float*) {
  scalar::WalshHadamardLevels(values, 0, levels);
}

void TransformRowsHere(float* values, int levels, size_t live_in, size_t, size_t, float*) {
  std::fill(values + live_in * kWalshBlockValues, values + (kWalshBlockValues << levels), 0.0f);
  scalar::WalshHadamardLevels(values, kWalshBlockLevels, kWalshBlockLevels + levels);
}

#else

void TransformWalshBlockHere(float* values, int levels, const float* next) {
  if (levels < kLogLanes) return scalar::WalshHadamardLevels(values, 0, levels);
  TransformBlock(values, levels, next);
}

// Beyond 64 MiB hardly any cache keeps what is written until it is read again.
constexpr int kStreamedLevels = 25 - kWalshBlockLevels;

void TransformRowsHere(float* values, int levels, size_t live_in, size_t live_out, size_t width, float* scratch) {
  const bool aligned = reinterpret_cast<uintptr_t>(values) % (kLanes * sizeof(float)) == 0;
  const bool streamed = levels >= kStreamedLevels && aligned;
  for (size_t column = 0; column < kWalshBlockValues; column += width) {
    const Columns columns = {values + column, kWalshBlockValues, live_in};
    if (streamed) {
      TransformTile<Writing::kStreamed>(columns, live_out, levels, width, scratch);
    } else {
      TransformTile<Writing::kCached>(columns, live_out, levels, width, scratch);
    }
  }
  if (streamed) hwy::FlushStream();
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thinwire {
namespace {

HWY_EXPORT(TransformWalshBlockHere);
HWY_EXPORT(TransformRowsHere);

// Values in one cache line, which the scratch of a tile has more in each row.
constexpr size_t kLine = 16;

// Values in a tile: half of the second-level cache. No result depends on it.
size_t TileValues() {
  static const size_t values = [] {
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or -1 if unknown
    return size_t{1} << (bytes >= (2 << 20) ? 18 : 17);
  }();
  return values;
}

// Rows that the first pass reads together, at most.
constexpr size_t kRowsTogether = 16;

}  // namespace

void TransformWalshBlock(float* values, int levels, const float* next) {
  HWY_DYNAMIC_DISPATCH(TransformWalshBlockHere)(values, levels, next);
}

void TransformBetweenWalshBlocks(float* values, int levels, size_t live_in, size_t live_out) {
  const size_t rows = size_t{1} << levels;
  const size_t clear = std::min(rows, (live_in + kRowsTogether - 1) / kRowsTogether * kRowsTogether);
  std::fill(values + live_in * kWalshBlockValues, values + clear * kWalshBlockValues, 0.0f);
  const size_t width = std::max<size_t>(std::min<size_t>(TileValues() >> levels, 1024), kLine);
  const auto scratch = hwy::AllocateAligned<float>((width + kLine) << levels);
  HWY_DYNAMIC_DISPATCH(TransformRowsHere)(values, levels, clear, live_out, width, scratch.get());
}

}  // namespace thinwire
#endif  // HWY_ONCE
