#include "common/rdu/plane_coder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/target_clones.h"

// One function with all that it calls in it, so that all of that is compiled for each instruction set. What it calls is
// `inline`: with -fPIC, g++ takes in nothing that another library could replace.
#define CODES_A_ROW TW_TARGET_CLONES_V3 __attribute__((flatten))

namespace thinwire {
namespace {

// Magnitudes above this are rounded without weighing bits: neighbours cost nearly the same.
constexpr uint32_t kWeighedMagnitude = 3;
constexpr uint32_t kMaxMagnitude = (1u << kMaxMagnitudeBits) - 1;

double CostOf(const LogisticTables& tables, int p, bool yes) {
  return CostInBits(tables, yes ? p : kProbabilityOne - p);
}

}  // namespace

PlaneState::PlaneState(size_t column_count)
    : columns(column_count),
      context(column_count),
      now((column_count + kSegmentColumns - 1) / kSegmentColumns + 2),
      above(now.size()) {}

void PlaneState::StartRow() {
  context.StartRow();
  above.swap(now);
  std::fill(now.begin(), now.end(), 0);
}

PlaneEncoder::PlaneEncoder(PlaneKind kind, size_t columns, CoefficientModel* model, RangeEncoder* coder)
    : model_(&model->Of(kind)), coder_(coder), state_(columns) {}

CODES_A_ROW void PlaneEncoder::EncodeRow(const double* row, double slope, int32_t* coefficients) {
  EncodeBits bits{coder_};
  state_.StartRow();
  for (size_t s = 0; s < state_.Segments(); ++s) {
    const size_t first = s * kSegmentColumns, count = state_.SegmentSize(s);
    const bool coded = WorthCoding(row + first, count, slope);
    PlaneContext& context = state_.context;
    model_->CodeSegment(bits, context.row().slow, context.columns_slow(first, count), state_.Neighbours(s), coded);
    state_.now[s + 1] = coded ? 1 : 0;
    if (coded) {
      EncodeSegment(row + first, slope, first, count, coefficients + first);
    } else {
      std::fill(coefficients + first, coefficients + first + count, 0);
      context.SetZeros(first, count);
    }
  }
}

// Whether coding the larger values saves more error than, at a guess, their bits are worth: what the running mean of
// the row says a value costs, or what its place costs among the segment's, if that is less. (With the mean alone, rows
// that were once taken for zero would stay so. For the same reason no value of the segment is let cost much more.)
inline bool PlaneEncoder::WorthCoding(const double* values, size_t count, double slope) {
  double largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  if (largest < 0.5) return false;
  std::array<double, kSegmentColumns> gains;
  uint32_t larger = 0;
  for (size_t i = 0; i < count; ++i) {
    const double error = 1.0 - 3.0 / 64 - std::fabs(values[i]);
    const double saved = values[i] * values[i] - error * error;
    gains[i] = saved < 2 * slope ? 0 : saved;
    larger += saved < 2 * slope ? 0 : 1;
  }
  double gain = 0;
  for (size_t i = 0; i < count; ++i) gain += gains[i];
  if (larger == 0) return false;
  const double row = 2 + 0.5 * std::max(0.0, 2.0 * kMeanBits - HalfLog(state_.context.row().slow));
  const double place = 2.5 + 0.5 * (HalfLog(static_cast<uint32_t>(16 * count) / larger) - 8.0);
  place_ = place + 1;
  return gain > slope * (larger * std::min(row, place));
}

inline void PlaneEncoder::EncodeSegment(const double* values, double slope, size_t first, size_t count,
                                        int32_t* coefficients) {
  EncodeBits bits{coder_};
  PlaneContext& context = state_.context;
  SegmentContext columns;
  context.Prepare(first, count, &columns);
  RowContext row = context.row();
  SegmentValues coded;
  for (size_t i = 0; i < count; ++i) {
    CoefficientPlace place{columns, i, row};
    PlaneModel::ZeroPrediction nonzero;
    PlaneModel::SizePredictions sizes;
    model_->PredictNonzero(&place, &nonzero);
    const uint32_t magnitude = Choose(std::fabs(values[i]), slope, place, nonzero, &sizes);
    model_->CodeNonzero(bits, &nonzero, magnitude != 0);
    const bool negative = values[i] < 0;
    int sign = 0;
    if (magnitude != 0) {
      model_->CodeSign(bits, row, context.sign_above(first + i), context.column_sign(first + i), negative);
      model_->CodeMagnitude(bits, place, &sizes, magnitude);
      any_ = true;
      needed_ = coder_->mark();
      sign = negative ? -1 : 1;
    }
    coded.Set(i, magnitude, sign, &row);
    coefficients[i] = sign * static_cast<int32_t>(magnitude);
  }
  context.Set(first, count, coded, row);
}

inline uint32_t PlaneEncoder::Choose(double magnitude, double slope, const CoefficientPlace& place,
                                     const PlaneModel::ZeroPrediction& nonzero, PlaneModel::SizePredictions* sizes) {
  if (magnitude < 0.5) return 0;
  if (magnitude >= kMaxMagnitude) return kMaxMagnitude;
  const auto nearest = static_cast<uint32_t>(magnitude + 0.5);
  if (nearest > kWeighedMagnitude) return nearest;
  uint32_t best = 0;
  double least = magnitude * magnitude + slope * CostOf(model_->tables(), nonzero.p, false);
  const double some = std::min(CostOf(model_->tables(), nonzero.p, true) + 1, place_);
  if (nearest == 1) {  // most are not worth their sign and place alone
    const double error = magnitude - Reconstruct(1);
    if (error * error + slope * some >= least) return 0;
  }
  for (uint32_t m = std::max(nearest - 1, 1u); m <= nearest; ++m) {
    const double error = magnitude - Reconstruct(static_cast<int32_t>(m));
    const double sum = error * error + slope * (some + MagnitudeCost(m, place, sizes));
    if (sum < least) {
      least = sum;
      best = m;
    }
  }
  return best;
}

// Of a magnitude up to kWeighedMagnitude, in bits.
inline double PlaneEncoder::MagnitudeCost(uint32_t magnitude, const CoefficientPlace& place,
                                          PlaneModel::SizePredictions* sizes) {
  const uint32_t size = magnitude == 1 ? 1 : 2;
  double cost = size - 1;
  for (uint32_t bits = 1; bits <= size; ++bits) {
    PlaneModel::SizePrediction& more = sizes->of[bits - 1];
    if (sizes->count < bits) model_->PredictSize(place, sizes->count = bits, &more);
    cost += CostOf(model_->tables(), more.p, size > bits);
  }
  return cost;
}

PlaneDecoder::PlaneDecoder(PlaneKind kind, size_t columns, CoefficientModel* model, RangeDecoder* coder)
    : model_(&model->Of(kind)), coder_(coder), state_(columns) {}

CODES_A_ROW void PlaneDecoder::DecodeRow(int32_t* coefficients) {
  DecodeBits bits{coder_};
  std::fill(coefficients, coefficients + state_.columns, 0);
  if (coder_->exhausted()) return;
  state_.StartRow();
  for (size_t s = 0; s < state_.Segments(); ++s) {
    const size_t first = s * kSegmentColumns, count = state_.SegmentSize(s);
    PlaneContext& context = state_.context;
    const uint32_t columns_slow = context.columns_slow(first, count);
    const bool coded = model_->CodeSegment(bits, context.row().slow, columns_slow, state_.Neighbours(s), false);
    state_.now[s + 1] = coded ? 1 : 0;
    if (!coded) context.SetZeros(first, count);
    if (coded && !DecodeSegment(first, count, coefficients + first)) return;
    if (coder_->exhausted()) return;
  }
}

// False if the stream ended.
inline bool PlaneDecoder::DecodeSegment(size_t first, size_t count, int32_t* coefficients) {
  DecodeBits bits{coder_};
  PlaneContext& context = state_.context;
  SegmentContext columns;
  context.Prepare(first, count, &columns);
  RowContext row = context.row();
  SegmentValues coded;
  for (size_t i = 0; i < count; ++i) {
    CoefficientPlace place{columns, i, row};
    PlaneModel::ZeroPrediction nonzero;
    PlaneModel::SizePredictions sizes;
    model_->PredictNonzero(&place, &nonzero);
    uint32_t magnitude = 0;
    int sign = 0;
    if (model_->CodeNonzero(bits, &nonzero, false)) {
      const int above = context.sign_above(first + i), column = context.column_sign(first + i);
      sign = model_->CodeSign(bits, row, above, column, false) ? -1 : 1;
      magnitude = model_->CodeMagnitude(bits, place, &sizes, 0);
    }
    if (coder_->exhausted()) return false;
    coded.Set(i, magnitude, sign, &row);
    coefficients[i] = sign * static_cast<int32_t>(magnitude);
  }
  context.Set(first, count, coded, row);
  return true;
}

}  // namespace thinwire
