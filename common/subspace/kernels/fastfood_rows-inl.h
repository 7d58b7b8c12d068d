// Rows through a permutation, and normal numbers, a vector at a time. Included once per instruction set.
#if defined(THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_ROWS_INL_H_
#undef THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_ROWS_INL_H_
#else
#define THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_ROWS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "common/subspace/kernels/fastfood_kernels.h"
#include "common/subspace/kernels/normal_constants.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace thinwire {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, kRowValues>;
using DU = hn::RebindToUnsigned<DF>;
using DI = hn::RebindToSigned<DF>;
using DD = hn::RepartitionToWide<hn::RebindToFloat<DU>>;
using VF = hn::Vec<DF>;
using VU = hn::Vec<DU>;
constexpr size_t kLanes = hn::MaxLanes(DF());

// Signs of the values of a vector from a word's bits, from bit `lane` on.
class SignBits {
 public:
  HWY_INLINE SignBits() {
    for (size_t lane = 0; lane < 32; ++lane) bits_[lane] = 1u << lane;
  }
  HWY_INLINE VF Apply(VU word, size_t lane, VF v) const {
    const VU sign = hn::IfThenElseZero(hn::TestBit(word, hn::Load(DU(), bits_ + lane)), hn::Set(DU(), 0x80000000u));
    return hn::BitCast(DF(), hn::Xor(hn::BitCast(DU(), v), sign));
  }
  HWY_INLINE void Flip(VU word, size_t lane, float* values) const {
    hn::StoreU(Apply(word, lane, hn::LoadU(DF(), values)), DF(), values);
  }

 private:
  HWY_ALIGN uint32_t bits_[32];
};

// Rows whose places are computed at once.
constexpr size_t kRowsAtOnce = 64;

// The permutation's values, as indices into the table, for up to kRowsAtOnce rows from row `at` on.
class TableRows {
 public:
  HWY_INLINE TableRows(const RowRange& rows, size_t at, size_t count) {
    const DU du;
    const BitPermutation& p = *rows.permutation;
    const VU mask = hn::Set(du, p.mask), table_mask = hn::Set(du, rows.table_mask);
    for (size_t i = 0; i < count; i += kLanes) {
      VU x = hn::Iota(du, rows.first_row + static_cast<uint32_t>(at + i));
      for (int round = 0; round < BitPermutation::kRounds; ++round) {
        x = hn::And(hn::Add(hn::Mul(x, hn::Set(du, p.multiply[round])), hn::Set(du, p.add[round])), mask);
        x = hn::Xor(x, hn::ShiftRightSame(x, p.shift));
      }
      hn::Store(hn::And(x, table_mask), du, rows_ + i);
    }
  }
  HWY_INLINE size_t operator[](size_t i) const { return rows_[i]; }

 private:
  HWY_ALIGN uint32_t rows_[kRowsAtOnce];
};

// What one row's word says: the xor of lane numbers is one of vectors, here, and one of lanes within each vector.
class RowWord {
 public:
  HWY_INLINE RowWord(const SignBits& signs, uint32_t word)
      : signs_(signs), word_(hn::Set(DU(), word)), vector_swap_((word >> kRowSwapBit) & (kRowValues - kLanes)) {
    const VU swap = hn::And(hn::ShiftRight<kRowSwapBit>(word_), hn::Set(DU(), static_cast<uint32_t>(kLanes - 1)));
    lanes_ = hn::Xor(hn::Iota(DU(), 0), swap);
  }
  // Where the values from `lane` on, a vector of them, lie in the table's row.
  HWY_INLINE size_t Place(size_t lane) const { return lane ^ vector_swap_; }
  HWY_INLINE VF SwapLanes(VF v) const { return hn::TableLookupLanes(v, hn::IndicesFromVec(DF(), lanes_)); }
  HWY_INLINE VF Sign(VF v, size_t lane) const { return signs_.Apply(word_, lane, v); }

 private:
  const SignBits& signs_;
  VU word_, lanes_;
  size_t vector_swap_;
};

// By the diagonal's entries from `lane` on; `normals` are the row's, or null.
HWY_INLINE VF TimesDiagonal(VF v, const RowWord& word, const float* normals, size_t lane) {
  return normals == nullptr ? word.Sign(v, lane) : hn::Mul(hn::LoadU(DF(), normals + lane), v);
}

HWY_INLINE const float* RowOfNormals(const RowRange& rows, size_t i) {
  return rows.normals == nullptr ? nullptr : rows.normals + i * kRowValues;
}

HWY_INLINE void GatherRow(const RowWord& word, const float* normals, const float* table, float* out) {
  for (size_t lane = 0; lane < kRowValues; lane += kLanes) {
    const VF v = word.SwapLanes(hn::LoadU(DF(), table + word.Place(lane)));
    hn::StoreU(TimesDiagonal(v, word, normals, lane), DF(), out + lane);
  }
}

HWY_INLINE void AddWidened(VF v, double* sums) {
  const DD dd;
  const hn::Half<DF> half;
  double* upper = sums + kLanes / 2;
  hn::StoreU(hn::Add(hn::LoadU(dd, sums), hn::PromoteTo(dd, hn::LowerHalf(half, v))), dd, sums);
  hn::StoreU(hn::Add(hn::LoadU(dd, upper), hn::PromoteTo(dd, hn::UpperHalf(half, v))), dd, upper);
}

HWY_INLINE void ScatterRow(const RowWord& word, const float* normals, const float* values, double* sums) {
  for (size_t lane = 0; lane < kRowValues; lane += kLanes) {
    const VF v = TimesDiagonal(hn::LoadU(DF(), values + lane), word, normals, lane);
    AddWidened(word.SwapLanes(v), sums + word.Place(lane));
  }
}

// Calls f(row, index of its first value in the table).
template <class F>
HWY_INLINE void ForEachRow(const RowRange& rows, const F& f) {
  for (size_t at = 0; at < rows.count; at += kRowsAtOnce) {
    const size_t count = rows.count - at < kRowsAtOnce ? rows.count - at : kRowsAtOnce;
    const TableRows table_rows(rows, at, count);
    for (size_t i = 0; i < count; ++i) f(at + i, table_rows[i] * kRowValues);
  }
}

template <size_t kCount>
HWY_INLINE VF Polynomial(const float (&terms)[kCount], VF x) {
  VF sum = hn::Set(DF(), terms[0]);
  for (size_t i = 1; i < kCount; ++i) sum = hn::Add(hn::Mul(sum, x), hn::Set(DF(), terms[i]));
  return sum;
}

// 2 half + 1.
HWY_INLINE VF OddNumber(VU half) {
  return hn::ConvertTo(DF(), hn::BitCast(DI(), hn::Or(hn::Add(half, half), hn::Set(DU(), 1u))));
}

HWY_INLINE VF Radius(VU half) {
  const VU bits = hn::BitCast(DU(), OddNumber(half));
  const VU exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(DU(), kSqrtHalfBits)));
  const VF f = hn::Sub(hn::BitCast(DF(), hn::Sub(bits, hn::ShiftLeft<23>(exponent))), hn::Set(DF(), 1.0f));
  const VF square = hn::Mul(f, f);
  const VF tail = hn::Sub(hn::Mul(Polynomial(kLogTerms, f), hn::Mul(square, f)),  //
                          hn::Mul(square, hn::Set(DF(), 0.5f)));
  const VF whole = hn::ConvertTo(DF(), hn::Sub(hn::BitCast(DI(), exponent), hn::Set(DI(), 17)));
  const VF log = hn::Add(hn::Mul(whole, hn::Set(DF(), kLogOfTwo)), hn::Add(f, tail));
  return hn::Sqrt(hn::Mul(log, hn::Set(DF(), -2.0f)));
}

struct Points {
  VF x, y;
};
HWY_INLINE Points Direction(VU half) {
  const DU du;
  const VF part = hn::Mul(OddNumber(hn::And(half, hn::Set(du, 16383u))), hn::Set(DF(), 0x1p-15f));
  const VF angle = hn::Mul(hn::Sub(part, hn::Set(DF(), 0.5f)), hn::Set(DF(), kHalfPi));
  const VF square = hn::Mul(angle, angle);
  const VF sin = hn::Add(hn::Mul(Polynomial(kSinTerms, square), hn::Mul(square, angle)), angle);
  const VF cos = hn::Add(hn::Mul(Polynomial(kCosTerms, square), hn::Mul(square, square)),
                         hn::Sub(hn::Set(DF(), 1.0f), hn::Mul(square, hn::Set(DF(), 0.5f))));
  const auto swapped = hn::RebindMask(DF(), hn::TestBit(half, hn::Set(du, 1u << 14)));
  const VU sign_bit = hn::Set(du, 0x80000000u);
  const VU x_sign = hn::And(hn::Xor(hn::ShiftLeft<17>(half), hn::ShiftLeft<16>(half)), sign_bit);
  const VU y_sign = hn::And(hn::ShiftLeft<16>(half), sign_bit);
  return {hn::Xor(hn::IfThenElse(swapped, sin, cos), hn::BitCast(DF(), x_sign)),
          hn::Xor(hn::IfThenElse(swapped, cos, sin), hn::BitCast(DF(), y_sign))};
}

HWY_INLINE void NormalsOf(VU words, float* first, float* second) {
  const VF radius = Radius(hn::And(words, hn::Set(DU(), 0xffffu)));
  const Points direction = Direction(hn::ShiftRight<16>(words));
  hn::StoreU(hn::Mul(radius, direction.x), DF(), first);
  hn::StoreU(hn::Mul(radius, direction.y), DF(), second);
}

}  // namespace HWY_NAMESPACE
}  // namespace thinwire
HWY_AFTER_NAMESPACE();

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_FASTFOOD_ROWS_INL_H_
