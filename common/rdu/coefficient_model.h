// The probabilities of quantised coefficients, learned while they are coded: each decision is predicted from several
// contexts (row, column, neighbours) and the predictions are mixed. Encoder and decoder run the same integer arithmetic
// and so have the same probabilities on every machine (docs/rdu.md is normative).
//
// A coefficient is: is it zero? its sign; is its magnitude longer than 1, 2, ... bits? then the bits below the top one,
// the first two with probabilities, the others raw. Before every kSegmentColumns coefficients of a row: are all zero?
#ifndef THINWIRE_COMMON_RDU_COEFFICIENT_MODEL_H_
#define THINWIRE_COMMON_RDU_COEFFICIENT_MODEL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/entropy/adaptive_bit.h"
#include "common/entropy/mixer.h"
#include "common/rdu/plane_context.h"

namespace thinwire {

// What a plane of coefficients holds; each kind learns its own probabilities.
enum class PlaneKind { kVector = 0, kMatrix = 1, kShortFactor = 2, kLongFactor = 3 };
constexpr size_t kPlaneKinds = 4;

// A magnitude has at most so many bits.
constexpr uint32_t kMaxMagnitudeBits = 31;

// One decision: its inputs, what they come to, and what learns from the outcome.
template <int kInputs>
struct Prediction {
  static constexpr int32_t kBias = 256;

  std::array<AdaptiveBit*, kInputs> bits;
  Mixer<kInputs + 1>* mixer;
  typename Mixer<kInputs + 1>::LogOdds inputs;
  int p;  // that the answer is yes

  void Mix(const LogisticTables& tables) {
    for (int i = 0; i < kInputs; ++i) inputs[i] = Stretch(tables, bits[i]->p());
    inputs[kInputs] = kBias;
    p = mixer->Mix(tables, inputs);
  }
  void Learn(bool bit, int rate, uint32_t limit) {
    mixer->Update(inputs, p, bit, rate);
    for (AdaptiveBit* context : bits) context->Update(bit, limit);
  }
};

// About 300 KB. Not thread-safe. Coder is EncodeBits or DecodeBits (coded_bits.h).
class CoefficientModel {
 public:
  static constexpr int kZeroInputs = 7;
  static constexpr int kSizeInputs = 5;
  static constexpr int kSignInputs = 3;
  static constexpr int kSegmentInputs = 3;
  using ZeroPrediction = Prediction<kZeroInputs>;
  using SizePrediction = Prediction<kSizeInputs>;

  CoefficientModel();

  // That the value at column j is not zero. Prepares what PredictSize wants to know of the place.
  void PredictNonzero(PlaneKind kind, const PlaneContext& context, size_t j, ZeroPrediction* prediction);
  // That its magnitude has more than `bits` bits, 1 <= bits < kMaxMagnitudeBits, if it is not zero.
  void PredictSize(PlaneKind kind, const PlaneContext& context, size_t j, uint32_t bits, SizePrediction* prediction);

  template <class Coder>
  bool CodeSegment(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t first, size_t last,
                   uint32_t neighbours, bool nonzero);
  template <class Coder>
  bool CodeNonzero(Coder& coder, ZeroPrediction* prediction, bool nonzero) {
    nonzero = coder.Bit(nonzero, prediction->p);
    prediction->Learn(nonzero, kZeroRate, kZeroLimit);
    return nonzero;
  }
  template <class Coder>
  bool CodeSign(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t j, bool negative);
  // Directly after PredictNonzero of the same place.
  template <class Coder>
  uint32_t CodeMagnitude(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t j, uint32_t magnitude);

  const LogisticTables& tables() const { return tables_; }

 private:
  static constexpr size_t kZeroContexts = 1024, kSizeContexts = 256, kSignContexts = 64, kSegmentContexts = 64;
  static constexpr size_t kSizeFlags = 16;
  // Rates of mixers and memories of contexts, tuned on updates of a convolutional network.
  static constexpr int kZeroRate = 7, kSizeRate = 7, kSignRate = 2, kSegmentRate = 4;
  static constexpr uint32_t kZeroLimit = 255, kSizeLimit = 255, kSignLimit = 255, kSegmentLimit = 255;

  static size_t Index(PlaneKind kind, size_t contexts) { return static_cast<size_t>(kind) * contexts; }
  template <class Coder>
  uint32_t CodeMantissa(Coder& coder, PlaneKind kind, uint32_t size, uint32_t magnitude);

  const LogisticTables& tables_;
  uint32_t expected_ = 0, near_ = 0;  // of the place of the last PredictNonzero
  std::array<std::vector<AdaptiveBit>, kZeroInputs> zero_;
  std::array<std::vector<AdaptiveBit>, kSizeInputs> size_;
  std::array<std::vector<AdaptiveBit>, kSignInputs> sign_;
  std::array<std::vector<AdaptiveBit>, kSegmentInputs> segment_;
  std::vector<AdaptiveBit> mantissa_;
  std::vector<Mixer<kZeroInputs + 1>> zero_mixers_;
  std::vector<Mixer<kSizeInputs + 1>> size_mixers_;
  std::vector<Mixer<kSignInputs + 1>> sign_mixers_;
  std::vector<Mixer<kSegmentInputs + 1>> segment_mixers_;
};

// `neighbours`: whether the segments to the left, above and above right are not zero, bits 0 to 2.
template <class Coder>
bool CoefficientModel::CodeSegment(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t first, size_t last,
                                   uint32_t neighbours, bool nonzero) {
  Prediction<kSegmentInputs> prediction;
  const size_t base = Index(kind, kSegmentContexts);
  const uint32_t row = std::min(HalfLog(context.row_slow()), 31u);
  const uint32_t columns = std::min(HalfLog(context.columns_slow(first, last)), 31u);
  prediction.bits = {&segment_[0][base + neighbours], &segment_[1][base + 2 * row + (neighbours >> 1 & 1)],
                     &segment_[2][base + 2 * columns + (neighbours & 1)]};
  prediction.mixer = &segment_mixers_[static_cast<size_t>(kind)];
  prediction.Mix(tables_);
  nonzero = coder.Bit(nonzero, prediction.p);
  prediction.Learn(nonzero, kSegmentRate, kSegmentLimit);
  return nonzero;
}

template <class Coder>
bool CoefficientModel::CodeSign(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t j, bool negative) {
  Prediction<kSignInputs> prediction;
  const size_t base = Index(kind, kSignContexts);
  const int left = context.sign_left(j) + 1, above = context.sign_above(j) + 1;
  const int column = context.column_sign(j) + 3, row = context.row_sign() + 3;
  prediction.bits = {&sign_[0][base + static_cast<size_t>(left * 3 + above)],
                     &sign_[1][base + static_cast<size_t>(column * 3 + left)],
                     &sign_[2][base + static_cast<size_t>(row * 7 + column)]};
  prediction.mixer = &sign_mixers_[static_cast<size_t>(kind)];
  prediction.Mix(tables_);
  negative = coder.Bit(negative, prediction.p);
  prediction.Learn(negative, kSignRate, kSignLimit);
  return negative;
}

template <class Coder>
uint32_t CoefficientModel::CodeMagnitude(Coder& coder, PlaneKind kind, const PlaneContext& context, size_t j,
                                         uint32_t magnitude) {
  const uint32_t size = magnitude == 0 ? 0 : 32 - static_cast<uint32_t>(__builtin_clz(magnitude));
  uint32_t bits = 1;
  for (; bits < kMaxMagnitudeBits; ++bits) {
    SizePrediction prediction;
    PredictSize(kind, context, j, bits, &prediction);
    const bool more = coder.Bit(size > bits, prediction.p);
    prediction.Learn(more, kSizeRate, kSizeLimit);
    if (!more) break;
  }
  return CodeMantissa(coder, kind, bits, magnitude);
}

template <class Coder>
uint32_t CoefficientModel::CodeMantissa(Coder& coder, PlaneKind kind, uint32_t size, uint32_t magnitude) {
  uint32_t value = 1;
  uint32_t left = size - 1, node = 0;
  for (; left > 0 && node != 3; node = node == 0 ? 1 + (value & 1) : 3) {
    --left;
    AdaptiveBit& bit = mantissa_[(Index(kind, kMaxMagnitudeBits + 1) + size) * 4 + node];
    const bool one = coder.Bit((magnitude >> left & 1) != 0, bit.p());
    bit.Update(one, kSizeLimit);
    value = 2 * value + (one ? 1 : 0);
  }
  while (left > 0) {
    const uint32_t bits = std::min(left, 16u);
    left -= bits;
    value = value << bits | coder.Raw(magnitude >> left & ((1u << bits) - 1), static_cast<int>(bits));
  }
  return value;
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_COEFFICIENT_MODEL_H_
