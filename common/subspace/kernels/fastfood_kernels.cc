// One translation of the kernels per instruction set, chosen at run time.
#include "common/subspace/kernels/fastfood_kernels.h"

// The same sets as the kernels of common/codec.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "common/subspace/kernels/fastfood_kernels.cc"
#include "common/subspace/kernels/fastfood_scalar.h"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#if HWY_TARGET != HWY_SCALAR
#include "common/subspace/kernels/fastfood_rows-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void GatherRowsHere(const RowRange& rows, const float* table, float* out) { scalar::GatherRows(rows, table, out); }
void ScatterRowsHere(const RowRange& rows, const float* values, double* sums) {
  scalar::ScatterRows(rows, values, sums);
}
void FlipSignsHere(const uint32_t* words, size_t count, float* values) { scalar::FlipSigns(words, count, values); }
void NormalsFromWordsHere(const uint32_t* words, size_t count, float* out) {
  scalar::NormalsFromWords(words, count, out);
}

#else

void FlipSignsHere(const uint32_t* words, size_t count, float* values) {
  const SignBits signs;
  for (size_t i = 0; i < count; i += 32) {
    const VU word = hn::Set(DU(), words[i / 32]);
    for (size_t lane = 0; lane < 32; lane += kLanes) signs.Flip(word, lane, values + i + lane);
  }
}

void GatherRowsHere(const RowRange& rows, const float* table, float* out) {
  const SignBits signs;
  ForEachRow(rows, [&](size_t i, size_t place) {
    GatherRow(RowWord(signs, rows.words[i]), RowOfNormals(rows, i), table + place, out + i * kRowValues);
  });
}

void ScatterRowsHere(const RowRange& rows, const float* values, double* sums) {
  const SignBits signs;
  ForEachRow(rows, [&](size_t i, size_t place) {
    ScatterRow(RowWord(signs, rows.words[i]), RowOfNormals(rows, i), values + i * kRowValues, sums + place);
  });
}

void NormalsFromWordsHere(const uint32_t* words, size_t count, float* out) {
  for (size_t i = 0; i < count; i += kRowValues, out += 2 * kRowValues) {
    for (size_t lane = 0; lane < kRowValues; lane += kLanes) {
      NormalsOf(hn::LoadU(DU(), words + i + lane), out + lane, out + kRowValues + lane);
    }
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thinwire {

HWY_EXPORT(GatherRowsHere);
HWY_EXPORT(ScatterRowsHere);
HWY_EXPORT(FlipSignsHere);
HWY_EXPORT(NormalsFromWordsHere);

void GatherRows(const RowRange& rows, const float* table, float* out) {
  HWY_DYNAMIC_DISPATCH(GatherRowsHere)(rows, table, out);
}

void ScatterRows(const RowRange& rows, const float* values, double* sums) {
  HWY_DYNAMIC_DISPATCH(ScatterRowsHere)(rows, values, sums);
}

void FlipSigns(const uint32_t* words, size_t count, float* values) {
  HWY_DYNAMIC_DISPATCH(FlipSignsHere)(words, count, values);
}

void NormalsFromWords(const uint32_t* words, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(NormalsFromWordsHere)(words, count, out);
}

}  // namespace thinwire
#endif  // HWY_ONCE
