// Permutation and diagonal of one block of a Fastfood matrix (fastfood.h), made from the seed as they are needed.
#ifndef THINWIRE_COMMON_SUBSPACE_FASTFOOD_ROWS_H_
#define THINWIRE_COMMON_SUBSPACE_FASTFOOD_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "common/subspace/fastfood.h"
#include "common/subspace/kernels/fastfood_kernels.h"
#include "common/subspace/permutation.h"

namespace thinwire {

// Not thread-safe: holds the random numbers of a few rows. About 28 KiB.
class FastfoodRows {
 public:
  // Of block `block` of `block_size` values, with a table of `table_size`; both are powers of two of at least 64.
  FastfoodRows(const FastfoodSpec& spec, uint64_t block, uint64_t block_size, uint64_t table_size);

  // out = values [first, first + out.size()) of G P z, z being the table repeated. Multiples of 64 values.
  void Gather(absl::Span<const float> table, size_t first, absl::Span<float> out);
  // sums += (G P R)^T values, R being the repetition.
  void Scatter(absl::Span<const float> values, absl::Span<double> sums);

 private:
  static constexpr size_t kBatch = 256;

  // The random numbers of up to kBatch rows from `row` of the block on, a multiple of 4.
  RowRange Draw(size_t row, size_t count);

  const bool normal_;
  const uint64_t words_key_, normals_key_, rows_before_;
  const BitPermutation permutation_;
  const uint32_t table_mask_;
  std::array<uint32_t, kBatch> words_;
  std::array<uint32_t, kBatch * kRowValues / 2> normal_words_;
  std::array<float, kBatch * kRowValues> normals_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_FASTFOOD_ROWS_H_
