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
#include <memory>

#include "common/entropy/adaptive_bit.h"
#include "common/entropy/mixer.h"
#include "common/rdu/plane_context.h"

namespace thinwire {

// What a plane of coefficients holds; each kind learns its own probabilities.
enum class PlaneKind { kVector = 0, kMatrix = 1, kShortFactor = 2, kLongFactor = 3 };
constexpr size_t kPlaneKinds = 4;

// A magnitude has at most so many bits.
constexpr uint32_t kMaxMagnitudeBits = 31;

// One decision: its inputs, what they come to, and what learns from the outcome. kLanes: a power of two, with room for
// the inputs and a constant one.
template <int kInputs, int kLanes>
struct Prediction {
  static constexpr int32_t kBias = 256;

  std::array<AdaptiveBit*, kInputs> bits;
  Mixer<kLanes>* mixer;
  Lanes<uint32_t, kLanes> states;  // of the bits
  typename Mixer<kLanes>::LogOdds inputs;
  int p;  // that the answer is yes

  void Mix(const LogisticTables& tables) {
    Lanes<uint32_t, kLanes> now = {0};
    typename Mixer<kLanes>::LogOdds log_odds = {0};
    for (int i = 0; i < kInputs; ++i) now[i] = bits[i]->state();
    for (int i = 0; i < kInputs; ++i) log_odds[i] = Stretch(tables, bits[i]->unlimited_p());
    log_odds[kInputs] = kBias;
    states = now;
    inputs = log_odds;
    p = mixer->Mix(tables, inputs);
  }
  void Learn(bool bit, int rate, uint32_t limit) {
    mixer->Update(inputs, p, bit, rate);
    if constexpr (kInputs <= 3) {  // of few, each by itself is learned sooner, and a next decision may wait for it
      for (AdaptiveBit* context : bits) context->Update(bit, limit);
    } else {
      AdaptiveBit::UpdateStates<kLanes>(&states, bit, limit);
      for (int i = 0; i < kInputs; ++i) bits[i]->set_state(states[i]);
    }
  }
};

// Where a coefficient stands, and what its contexts have in common.
struct CoefficientPlace {
  const SegmentContext& columns;
  size_t i;  // which column of them
  const RowContext& row;
  uint32_t near = 0, expected = 0, row_fast = 0;  // PredictNonzero's
};

// What planes of one kind learn: 113 KB. Not thread-safe. Coder is EncodeBits or DecodeBits (coded_bits.h).
class PlaneModel {
 public:
  static constexpr int kZeroInputs = 7;
  static constexpr int kSizeInputs = 5;
  static constexpr int kSignInputs = 3;
  static constexpr int kSegmentInputs = 3;
  using ZeroPrediction = Prediction<kZeroInputs, 8>;
  using SizePrediction = Prediction<kSizeInputs, 8>;
  // For the first `count` numbers of bits: what an encoder wants to know before it chooses is not predicted again.
  struct SizePredictions {
    std::array<SizePrediction, 2> of;
    uint32_t count = 0;
  };

  PlaneModel();

  // That the value at the place is not zero. Fills in what PredictSize wants to know of the place.
  void PredictNonzero(CoefficientPlace* place, ZeroPrediction* prediction);
  // That its magnitude has more than `bits` bits, 1 <= bits < kMaxMagnitudeBits, if it is not zero.
  void PredictSize(const CoefficientPlace& place, uint32_t bits, SizePrediction* prediction);

  // `row_slow`, `columns_slow`: running means. `neighbours`: whether the segments to the left, above and above right
  // are not zero, bits 0 to 2.
  template <class Coder>
  bool CodeSegment(Coder& coder, uint32_t row_slow, uint32_t columns_slow, uint32_t neighbours, bool nonzero);
  template <class Coder>
  bool CodeNonzero(Coder& coder, ZeroPrediction* prediction, bool nonzero) {
    nonzero = coder.Bit(nonzero, prediction->p);
    prediction->Learn(nonzero, kZeroRate, kZeroLimit);
    return nonzero;
  }
  template <class Coder>
  bool CodeSign(Coder& coder, const RowContext& row, int sign_above, int column_sign, bool negative);
  // After PredictNonzero of the place.
  template <class Coder>
  uint32_t CodeMagnitude(Coder& coder, const CoefficientPlace& place, SizePredictions* sizes, uint32_t magnitude);

  const LogisticTables& tables() const { return *tables_; }

 private:
  static constexpr size_t kZeroContexts = 1024, kSizeContexts = 256, kSignContexts = 64, kSegmentContexts = 64;
  static constexpr size_t kSizeFlags = 16;
  // Rates of mixers and memories of contexts, tuned on updates of a convolutional network.
  static constexpr int kZeroRate = 7, kSizeRate = 7, kSignRate = 2, kSegmentRate = 4;
  static constexpr uint32_t kZeroLimit = 255, kSizeLimit = 255, kSignLimit = 255, kSegmentLimit = 255;

  template <class Coder>
  uint32_t CodeMantissa(Coder& coder, uint32_t size, uint32_t magnitude);

  const LogisticTables* const tables_;
  template <size_t kInputs, size_t kContexts>
  using Contexts = std::array<std::array<AdaptiveBit, kContexts>, kInputs>;
  Contexts<kZeroInputs, kZeroContexts> zero_;
  std::array<Contexts<kSizeInputs, kSizeContexts>, kSizeFlags> size_;
  Contexts<kSignInputs, kSignContexts> sign_;
  Contexts<kSegmentInputs, kSegmentContexts> segment_;
  std::array<std::array<AdaptiveBit, 4>, kMaxMagnitudeBits + 1> mantissa_;
  std::array<Mixer<8>, 5> zero_mixers_;
  std::array<Mixer<8>, kSizeFlags> size_mixers_;
  Mixer<kSignInputs + 1> sign_mixer_;
  Mixer<kSegmentInputs + 1> segment_mixer_;
};

// Of all kinds of planes. Not thread-safe.
class CoefficientModel {
 public:
  PlaneModel& Of(PlaneKind kind);

 private:
  std::array<std::unique_ptr<PlaneModel>, kPlaneKinds> planes_;  // none of a kind that was not met
};

inline void PlaneModel::PredictNonzero(CoefficientPlace* place, ZeroPrediction* prediction) {
  const SegmentContext& columns = place->columns;
  const RowContext& row = place->row;
  const size_t i = place->i;
  const uint32_t near = HalfLog(columns.near[i] + row.near);  // at most 20
  const uint32_t fast_log = HalfLog(row.fast), fast = std::min(fast_log, 31u);
  const uint32_t slow = std::min(HalfLog(row.slow), 31u), mean = std::min(HalfLog(row.mean), 31u);
  // What row and column together make one expect: row times column by mean.
  const int product = static_cast<int>(QuarterLog(row.slow) + columns.slow_quarter[i]);
  const auto expected = static_cast<uint32_t>(std::clamp(product - static_cast<int>(QuarterLog(row.mean)), 0, 79));
  place->near = near;
  place->expected = expected;
  place->row_fast = fast_log;

  prediction->bits = {
      &zero_[0][slow * 32 + columns.slow31[i]],
      &zero_[1][row.pattern + columns.pattern[i]],
      &zero_[2][fast * 9 + columns.above2[i] * 3 + std::min(row.left, 2u)],
      &zero_[3][near * 24 + columns.slow23[i]],
      &zero_[4][columns.fast31[i] * 32 + fast],
      &zero_[5][expected * 4 + std::min(near, 3u)],
      &zero_[6][mean * 24 + near],
  };
  prediction->mixer = &zero_mixers_[row.nonzero + columns.nonzero[i]];
  prediction->Mix(*tables_);
}

inline void PlaneModel::PredictSize(const CoefficientPlace& place, uint32_t bits, SizePrediction* prediction) {
  const SegmentContext& columns = place.columns;
  const size_t i = place.i, flag = std::min<size_t>(bits, kSizeFlags - 1);
  const uint32_t left = place.row.left;
  auto& contexts = size_[flag];
  prediction->bits = {
      &contexts[0][place.expected], &contexts[1][std::min(HalfLog(left), 15u) * 16 + columns.above_log[i]],
      &contexts[2][place.row_fast], &contexts[3][columns.fast[i] * 4 + std::min(left, 3u)],
      &contexts[4][place.near],
  };
  prediction->mixer = &size_mixers_[flag];
  prediction->Mix(*tables_);
}

template <class Coder>
bool PlaneModel::CodeSegment(Coder& coder, uint32_t row_slow, uint32_t columns_slow, uint32_t neighbours,
                             bool nonzero) {
  Prediction<kSegmentInputs, kSegmentInputs + 1> prediction;
  const uint32_t row = std::min(HalfLog(row_slow), 31u);
  const uint32_t columns = std::min(HalfLog(columns_slow), 31u);
  prediction.bits = {&segment_[0][neighbours], &segment_[1][2 * row + (neighbours >> 1 & 1)],
                     &segment_[2][2 * columns + (neighbours & 1)]};
  prediction.mixer = &segment_mixer_;
  prediction.Mix(*tables_);
  nonzero = coder.Bit(nonzero, prediction.p);
  prediction.Learn(nonzero, kSegmentRate, kSegmentLimit);
  return nonzero;
}

template <class Coder>
bool PlaneModel::CodeSign(Coder& coder, const RowContext& row, int sign_above, int column_sign, bool negative) {
  Prediction<kSignInputs, kSignInputs + 1> prediction;
  const int left = row.sign_left + 1, above = sign_above + 1, column = column_sign + 3;
  prediction.bits = {&sign_[0][static_cast<size_t>(left * 3 + above)],
                     &sign_[1][static_cast<size_t>(column * 3 + left)],
                     &sign_[2][static_cast<size_t>((row.sign + 3) * 7 + column)]};
  prediction.mixer = &sign_mixer_;
  prediction.Mix(*tables_);
  negative = coder.Bit(negative, prediction.p);
  prediction.Learn(negative, kSignRate, kSignLimit);
  return negative;
}

template <class Coder>
uint32_t PlaneModel::CodeMagnitude(Coder& coder, const CoefficientPlace& place, SizePredictions* sizes,
                                   uint32_t magnitude) {
  const uint32_t size = magnitude == 0 ? 0 : 32 - static_cast<uint32_t>(__builtin_clz(magnitude));
  uint32_t bits = 1;
  for (; bits < kMaxMagnitudeBits; ++bits) {
    SizePrediction* prediction = &sizes->of[std::min(bits, 2u) - 1];
    if (bits > sizes->count) PredictSize(place, bits, prediction);
    const bool more = coder.Bit(size > bits, prediction->p);
    prediction->Learn(more, kSizeRate, kSizeLimit);
    if (!more) break;
  }
  return CodeMantissa(coder, bits, magnitude);
}

template <class Coder>
uint32_t PlaneModel::CodeMantissa(Coder& coder, uint32_t size, uint32_t magnitude) {
  uint32_t value = 1;
  uint32_t left = size - 1, node = 0;
  for (; left > 0 && node != 3; node = node == 0 ? 1 + (value & 1) : 3) {
    --left;
    AdaptiveBit& bit = mantissa_[size][node];
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
