// The transform's levels between blocks, which are the rows of a matrix here. Included once per instruction set.
//
// A tile is some columns wide and as high as the matrix. Its first pass reads memory and writes a dense scratch, its
// last one reads the scratch and writes memory: memory is swept once, however many levels there are, and rows at
// power-of-two distances do not drive each other out of the caches.
#if defined(THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_COLUMNS_INL_H_
#undef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_COLUMNS_INL_H_
#else
#define THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_COLUMNS_INL_H_
#endif

#include <cstddef>

#include "common/subspace/kernels/walsh_hadamard-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {

// Some columns of all rows. Rows from `live` on are zeros where they are read, and are not written.
struct Columns {
  float* first;
  size_t stride;  // values from row to row
  size_t live;
};

// How a pass writes: as usual, or past the caches, which saves reading what is overwritten whole.
enum class Writing { kCached, kStreamed };

// What a pass writes to rows row, row + apart, ...
template <Writing kWriting, int kLevels>
HWY_INLINE void StoreRows(const Registers<kLevels>& r, float* out, Columns to, size_t row, size_t apart) {
  const size_t live = to.live > row ? (to.live - row + apart - 1) / apart : 0;
  if (HWY_UNLIKELY(live < (size_t{1} << kLevels))) {
    r.template StoreSome<kWriting == Writing::kStreamed>(out, to.stride * apart, live);
  } else if constexpr (kWriting == Writing::kStreamed) {
    r.Stream(out, to.stride * apart);
  } else {
    r.Store(out, to.stride * apart);
  }
}

// Levels first_level to first_level + kLevels - 1 between `rows` rows of `width` columns, from one place to another or
// the same. Rows that are read together are zeros together.
template <Writing kWriting, int kLevels>
HWY_INLINE void TilePass(Columns from, Columns to, size_t rows, int first_level, size_t width) {
  const size_t apart = size_t{1} << first_level;
  for (size_t part = 0; part < rows; part += apart << kLevels) {
    for (size_t row = part; row < part + apart; ++row) {
      const float* in = from.first + row * from.stride;
      float* out = to.first + row * to.stride;
      const bool zeros = row >= from.live;
      for (size_t i = 0; i < width; i += kLanes) {
        Registers<kLevels> r;
        if (zeros) {
          r.Clear();
        } else {
          r.Load(in + i, from.stride * apart);
          r.Transform();
        }
        StoreRows<kWriting>(r, out + i, to, row, apart);
      }
    }
  }
}

// All levels between 2^levels rows, of one tile. `scratch` holds 2^levels * (width + kLineValues) values: the line more
// keeps rows at power-of-two distances from sharing a set of cache lines.
template <Writing kWriting>
inline void TransformTile(Columns memory, size_t live_out, int levels, size_t width, float* scratch) {
  const size_t rows = size_t{1} << levels;
  const Columns dense = {scratch, width + kLineValues, rows}, out = {memory.first, memory.stride, live_out};
  int done = 0;
  while (done < levels) {
    const int next = NextPass(levels - done, kRegisterLevels);
    const Columns from = done == 0 ? memory : dense, to = done + next == levels ? out : dense;
    WithLevels(next, [&](auto l) {
      if (done + next == levels) {
        TilePass<kWriting, decltype(l)::value>(from, to, rows, done, width);
      } else {
        TilePass<Writing::kCached, decltype(l)::value>(from, to, rows, done, width);
      }
    });
    done += next;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_COLUMNS_INL_H_
