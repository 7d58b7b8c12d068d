// Fastfood's matrix from its definition: H as a matrix of signs, the full padded first transform, tables for
// everything. Shares with the code under test only the generator, the permutation of rows and the scalar normal
// numbers.
#ifndef THINWIRE_TESTS_UNIT_SUBSPACE_DENSE_FASTFOOD_H_
#define THINWIRE_TESTS_UNIT_SUBSPACE_DENSE_FASTFOOD_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "common/base/rng.h"
#include "common/subspace/fastfood.h"
#include "common/subspace/kernels/fastfood_scalar.h"
#include "common/subspace/permutation.h"

namespace thinwire {

using Matrix = std::vector<std::vector<double>>;

inline uint32_t WordAt(uint64_t key, uint64_t index) {
  const uint64_t block = index / 4;
  return Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key)[index % 4];
}

// Where P_q puts each value from: out[i] = in[places[i]].
inline std::vector<size_t> PlacesOf(const Fastfood& fastfood, uint64_t block) {
  const uint64_t seed = fastfood.spec().seed, size = fastfood.block_size();
  const uint64_t words = DeriveKey({seed, KeyWord("fastfood words of rows")});
  int bits = 0;
  while ((uint64_t{16} << bits) < size) ++bits;
  const BitPermutation rows(DeriveKey({seed, KeyWord("fastfood permutation"), block}), bits);
  std::vector<size_t> places(size);
  for (size_t i = 0; i < size; ++i) {
    const uint32_t swap = (WordAt(words, block * (size / 16) + i / 16) >> 16) & 15;
    places[i] = size_t{rows.Forward(static_cast<uint32_t>(i / 16))} * 16 + (i % 16 ^ swap);
  }
  return places;
}

// Any permutation as likely as any other, for comparison.
inline std::vector<size_t> UniformPlaces(uint64_t seed, size_t size) {
  std::vector<size_t> places(size);
  std::iota(places.begin(), places.end(), size_t{0});
  RandomStream(DeriveKey({seed, 77})).Shuffle(places);
  return places;
}

inline std::vector<double> DiagonalOf(const Fastfood& fastfood, uint64_t block) {
  const uint64_t seed = fastfood.spec().seed, size = fastfood.block_size();
  const uint64_t words = DeriveKey({seed, KeyWord("fastfood words of rows")});
  const uint64_t normals = DeriveKey({seed, KeyWord("fastfood normal diagonal")});
  std::vector<double> diagonal(size);
  for (size_t i = 0; i < size; ++i) {
    const uint64_t of_all = block * size + i, pair = of_all / 32;
    if (fastfood.spec().diagonal == FastfoodDiagonal::kSigns) {
      diagonal[i] = ((WordAt(words, of_all / 16) >> (of_all % 16)) & 1) != 0 ? -1 : 1;
    } else {
      std::vector<uint32_t> drawn(16);
      std::vector<float> numbers(32);
      for (size_t k = 0; k < 16; ++k) drawn[k] = WordAt(normals, pair * 16 + k);
      scalar::NormalsFromWords(drawn.data(), 16, numbers.data());
      diagonal[i] = numbers[of_all % 32];
    }
  }
  return diagonal;
}

inline double Hadamard(size_t i, size_t j) { return __builtin_parityll(i & j) != 0 ? -1 : 1; }

// D rows of d entries.
inline Matrix DenseFastfood(const Fastfood& fastfood, bool uniform = false) {
  const FastfoodSpec& spec = fastfood.spec();
  const size_t size = fastfood.block_size();
  const uint64_t signs = DeriveKey({spec.seed, KeyWord("fastfood signs of coefficients")});
  const uint64_t value_signs = DeriveKey({spec.seed, KeyWord("fastfood signs of values")});
  const double scale = 1 / std::sqrt(static_cast<double>(spec.subspace_size) * static_cast<double>(size));
  Matrix a(spec.dense_size, std::vector<double>(spec.subspace_size));
  for (uint64_t block = 0; block * size < spec.dense_size; ++block) {
    const std::vector<size_t> places =
        uniform ? UniformPlaces(DeriveKey({spec.seed, block}), size) : PlacesOf(fastfood, block);
    const std::vector<double> diagonal = DiagonalOf(fastfood, block);
    for (size_t row = 0; row < size && block * size + row < spec.dense_size; ++row) {
      const uint64_t at = (block * size + row) % 65536;
      const bool flipped = ((WordAt(value_signs, at / 32) >> (at % 32)) & 1) != 0;
      for (size_t j = 0; j < spec.subspace_size; ++j) {
        double sum = 0;
        for (size_t k = 0; k < size; ++k) sum += Hadamard(row, k) * diagonal[k] * Hadamard(places[k], j);
        const bool minus = ((WordAt(signs, j / 32) >> (j % 32)) & 1) != 0;
        a[block * size + row][j] = scale * (minus != flipped ? -sum : sum);
      }
    }
  }
  return a;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SUBSPACE_DENSE_FASTFOOD_H_
