// The inner loops of Fastfood in plain C++: what every other implementation must equal, bit for bit.
#ifndef THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_SCALAR_H_
#define THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_SCALAR_H_

#include <cstddef>
#include <cstdint>

#include "common/subspace/kernels/fastfood_kernels.h"

namespace thinwire {
namespace scalar {

// Value l of row i becomes g * table[t * 16 + (l xor s)], where t is the permutation's value for the row, s is bits 16
// to 19 of the row's word, and g is the row's normal number l or, without normals, -1 where bit l of the word is set
// and else 1. A binary32 product.
void GatherRows(const RowRange& rows, const float* table, float* out);

// The transpose: adds g * values[i * 16 + l], a binary32 product, in binary64 to sums[t * 16 + (l xor s)], rows in
// ascending order.
void ScatterRows(const RowRange& rows, const float* values, double* sums);

// Changes the sign of value i where bit i % 32 of word i / 32 is set. `count` is a multiple of 32.
void FlipSigns(const uint32_t* words, size_t count, float* values);

// Two normal numbers from each word, by Box and Muller from its two halves: for each 16 words, the 16 first numbers and
// then the 16 second ones. `count` is a multiple of 16. Only + - * and square roots of binary32, none of them fused.
// The halves stand for (h + 1/2) / 65536, so that no number is beyond 4.86 in magnitude; their variance is 1 to 1e-5.
void NormalsFromWords(const uint32_t* words, size_t count, float* out);

}  // namespace scalar
}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_SCALAR_H_
