// One tensor in the stream of an update: a flag for "all zero", the rank, the factors of the low-rank part, the rest.
//
// In units of the update's step, the tensor is the sum over components k of (short_k scaled by 2^-e_k) x long_k, plus
// the rest. The exponent e_k is about the logarithm of the component's norm, so that a step in the short factor does as
// much harm as a step anywhere else.
#ifndef THINWIRE_COMMON_RDU_TENSOR_CODER_H_
#define THINWIRE_COMMON_RDU_TENSOR_CODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/rdu/coded_bits.h"
#include "common/rdu/coefficient_model.h"
#include "common/rdu/rate_model.h"

namespace thinwire {

// Everything that learns while an update is coded, from its first tensor to its last. Not thread-safe.
struct UpdateModel {
  UpdateModel();

  template <class Coder>
  bool CodeAny(Coder& coder, bool any) {
    any = coder.Bit(any, any_bit.p());
    any_bit.Update(any, 30);
    return any;
  }
  template <class Coder>
  size_t CodeRank(Coder& coder, size_t rank);
  // `before` is the exponent of the component before, nullptr for the first one.
  template <class Coder>
  int CodeExponent(Coder& coder, const int* before, int exponent);

  static constexpr int kRankBits = 6;
  // An exponent is kLowestExponent .. kLowestExponent + 255, and no more than the one before.
  static constexpr int kLowestExponent = -64;
  static constexpr int kMostDrop = 32;

  CoefficientModel coefficients;
  AdaptiveBit any_bit;
  std::array<AdaptiveBit, 1 << kRankBits> rank_bits;
  std::array<AdaptiveBit, kMostDrop> drop_bits;
};

// Codes the tensor with `rank` components of its factors. `needed` moves on to where the stream is needed.
void EncodeTensor(const TensorStatistics& tensor, size_t rank, double step, UpdateModel* model, RangeEncoder* coder,
                  RangeEncoder::Mark* needed);

// Decodes a tensor of that shape, out.size() values; what the stream does not tell is zero. Values are finite.
void DecodeTensor(const MatrixShape& shape, double step, UpdateModel* model, RangeDecoder* coder,
                  absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_TENSOR_CODER_H_
