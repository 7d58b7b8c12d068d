#include "common/subspace/fastfood_rows.h"

#include <algorithm>

#include "common/base/random_bits.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

int Bits(uint64_t size) {
  int bits = 0;
  while ((uint64_t{1} << bits) < size) ++bits;
  return bits;
}

}  // namespace

FastfoodRows::FastfoodRows(const FastfoodSpec& spec, uint64_t block, uint64_t block_size, uint64_t table_size)
    : normal_(spec.diagonal == FastfoodDiagonal::kNormal),
      words_key_(DeriveKey({spec.seed, KeyWord("fastfood words of rows")})),
      normals_key_(DeriveKey({spec.seed, KeyWord("fastfood normal diagonal")})),
      rows_before_(block * (block_size / kRowValues)),
      permutation_(DeriveKey({spec.seed, KeyWord("fastfood permutation"), block}), Bits(block_size / kRowValues)),
      table_mask_(static_cast<uint32_t>(table_size / kRowValues - 1)) {}

RowRange FastfoodRows::Draw(size_t row, size_t count) {
  const uint64_t row_of_all = rows_before_ + row;
  FillRandomWords(words_key_, row_of_all / 4, absl::MakeSpan(words_).subspan(0, count));
  if (normal_) {
    const size_t words = count * kRowValues / 2;
    FillRandomWords(normals_key_, row_of_all * 2, absl::MakeSpan(normal_words_).subspan(0, words));
    NormalsFromWords(normal_words_.data(), words, normals_.data());
  }
  return {&permutation_, table_mask_,   static_cast<uint32_t>(row),
          count,         words_.data(), normal_ ? normals_.data() : nullptr};
}

void FastfoodRows::Gather(absl::Span<const float> table, size_t first, absl::Span<float> out) {
  for (size_t at = 0; at < out.size(); at += kBatch * kRowValues) {
    const size_t count = std::min(kBatch, (out.size() - at) / kRowValues);
    GatherRows(Draw((first + at) / kRowValues, count), table.data(), out.data() + at);
  }
}

void FastfoodRows::Scatter(absl::Span<const float> values, absl::Span<double> sums) {
  for (size_t at = 0; at < values.size(); at += kBatch * kRowValues) {
    const size_t count = std::min(kBatch, (values.size() - at) / kRowValues);
    ScatterRows(Draw(at / kRowValues, count), values.data() + at, sums.data());
  }
}

}  // namespace thinwire
