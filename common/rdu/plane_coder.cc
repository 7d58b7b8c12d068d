#include "common/rdu/plane_coder.h"

#include <algorithm>
#include <cmath>

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
    : kind_(kind), model_(model), coder_(coder), state_(columns) {}

void PlaneEncoder::EncodeRow(const double* row, double slope, int32_t* coefficients) {
  EncodeBits bits{coder_};
  state_.StartRow();
  for (size_t s = 0; s < state_.Segments(); ++s) {
    const size_t first = s * kSegmentColumns, last = state_.SegmentEnd(s);
    const bool coded = WorthCoding(row + first, last - first, slope);
    model_->CodeSegment(bits, kind_, state_.context, first, last, state_.Neighbours(s), coded);
    state_.now[s + 1] = coded ? 1 : 0;
    if (coded) {
      for (size_t j = first; j < last; ++j) EncodeValue(row[j], slope, j, &coefficients[j]);
    } else {
      std::fill(coefficients + first, coefficients + last, 0);
      state_.context.SetZeros(first, last);
    }
  }
}

// Whether coding the larger values saves more error than, at a guess, their bits are worth: what the running mean of
// the row says a value costs, or what its place costs among the segment's, if that is less. (With the mean alone, rows
// that were once taken for zero would stay so. For the same reason no value of the segment is let cost much more.)
bool PlaneEncoder::WorthCoding(const double* values, size_t count, double slope) {
  double largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  if (largest < 0.5) return false;
  double gain = 0;
  uint32_t larger = 0;
  for (size_t i = 0; i < count; ++i) {
    const double error = 1.0 - 3.0 / 64 - std::fabs(values[i]);
    const double saved = values[i] * values[i] - error * error;
    if (saved < 2 * slope) continue;
    gain += saved;
    ++larger;
  }
  if (larger == 0) return false;
  const double row = 2 + 0.5 * std::max(0.0, 2.0 * kMeanBits - HalfLog(state_.context.row_slow()));
  const double place = 2.5 + 0.5 * (HalfLog(static_cast<uint32_t>(16 * count) / larger) - 8.0);
  place_ = place + 1;
  return gain > slope * (larger * std::min(row, place));
}

void PlaneEncoder::EncodeValue(double value, double slope, size_t j, int32_t* coefficient) {
  EncodeBits bits{coder_};
  CoefficientModel::ZeroPrediction nonzero;
  model_->PredictNonzero(kind_, state_.context, j, &nonzero);
  const uint32_t magnitude = Choose(std::fabs(value), slope, j, nonzero);
  model_->CodeNonzero(bits, &nonzero, magnitude != 0);
  const bool negative = value < 0;
  if (magnitude != 0) {
    model_->CodeSign(bits, kind_, state_.context, j, negative);
    model_->CodeMagnitude(bits, kind_, state_.context, j, magnitude);
    any_ = true;
    needed_ = coder_->mark();
  }
  state_.context.Set(j, magnitude, negative);
  *coefficient = negative ? -static_cast<int32_t>(magnitude) : static_cast<int32_t>(magnitude);
}

uint32_t PlaneEncoder::Choose(double magnitude, double slope, size_t j,
                              const CoefficientModel::ZeroPrediction& nonzero) {
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
    const double sum = error * error + slope * (some + MagnitudeCost(m, j));
    if (sum < least) {
      least = sum;
      best = m;
    }
  }
  return best;
}

// Of a magnitude up to kWeighedMagnitude, in bits.
double PlaneEncoder::MagnitudeCost(uint32_t magnitude, size_t j) {
  const uint32_t size = magnitude == 1 ? 1 : 2;
  double cost = size - 1;
  for (uint32_t bits = 1; bits <= size; ++bits) {
    CoefficientModel::SizePrediction more;
    model_->PredictSize(kind_, state_.context, j, bits, &more);
    cost += CostOf(model_->tables(), more.p, size > bits);
  }
  return cost;
}

PlaneDecoder::PlaneDecoder(PlaneKind kind, size_t columns, CoefficientModel* model, RangeDecoder* coder)
    : kind_(kind), model_(model), coder_(coder), state_(columns) {}

void PlaneDecoder::DecodeRow(int32_t* coefficients) {
  DecodeBits bits{coder_};
  std::fill(coefficients, coefficients + state_.columns, 0);
  if (coder_->exhausted()) return;
  state_.StartRow();
  for (size_t s = 0; s < state_.Segments(); ++s) {
    const size_t first = s * kSegmentColumns, last = state_.SegmentEnd(s);
    const bool coded = model_->CodeSegment(bits, kind_, state_.context, first, last, state_.Neighbours(s), false);
    state_.now[s + 1] = coded ? 1 : 0;
    if (!coded) state_.context.SetZeros(first, last);
    if (coded && !DecodeSegment(first, last, coefficients)) return;
    if (coder_->exhausted()) return;
  }
}

// False if the stream ended.
bool PlaneDecoder::DecodeSegment(size_t first, size_t last, int32_t* coefficients) {
  DecodeBits bits{coder_};
  for (size_t j = first; j < last; ++j) {
    CoefficientModel::ZeroPrediction nonzero;
    model_->PredictNonzero(kind_, state_.context, j, &nonzero);
    uint32_t magnitude = 0;
    bool negative = false;
    if (model_->CodeNonzero(bits, &nonzero, false)) {
      negative = model_->CodeSign(bits, kind_, state_.context, j, false);
      magnitude = model_->CodeMagnitude(bits, kind_, state_.context, j, 0);
    }
    if (coder_->exhausted()) return false;
    state_.context.Set(j, magnitude, negative);
    coefficients[j] = negative ? -static_cast<int32_t>(magnitude) : static_cast<int32_t>(magnitude);
  }
  return true;
}

}  // namespace thinwire
