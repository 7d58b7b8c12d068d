// The inner loops of Fastfood, on the best instruction set of the processor. Every one gives the bits of the function
// of the same name in fastfood_scalar.h, which says what it does. Pure; thread-safe. Buffers need no alignment and must
// not overlap.
#ifndef THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_KERNELS_H_
#define THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "common/subspace/permutation.h"

namespace thinwire {

// Values are permuted in rows of 16, one cache line of binary32.
constexpr int kLogRowValues = 4;
constexpr size_t kRowValues = size_t{1} << kLogRowValues;
// Bits of a row's random word: 0 to 15 are the signs of the row's values, 16 to 19 what their places are changed by.
constexpr int kRowSwapBit = 16;

// Rows first_row, ... of a permuted table of rows, with their random words and, or null, their normal numbers. Of the
// permutation's value only the bits in `table_mask` count.
struct RowRange {
  const BitPermutation* permutation;
  uint32_t table_mask;
  uint32_t first_row;
  size_t count;
  const uint32_t* words;  // `count`
  const float* normals;   // count * kRowValues
};

void GatherRows(const RowRange& rows, const float* table, float* out);
void ScatterRows(const RowRange& rows, const float* values, double* sums);
void FlipSigns(const uint32_t* words, size_t count, float* values);
void NormalsFromWords(const uint32_t* words, size_t count, float* out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_KERNELS_H_
