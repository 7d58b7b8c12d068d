// One plane of numbers, coded row by row: quantised with step 1 under the rule "least error plus lambda times bits",
// and context-coded (coefficient_model.h).
#ifndef THINWIRE_COMMON_RDU_PLANE_CODER_H_
#define THINWIRE_COMMON_RDU_PLANE_CODER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/rdu/coded_bits.h"
#include "common/rdu/coefficient_model.h"

namespace thinwire {

// The number that a coefficient stands for. A little nearer to zero than the coefficient, as what falls into a step is
// mostly from its lower half.
inline double Reconstruct(int32_t coefficient) {
  const int sign = (coefficient > 0) - (coefficient < 0);
  const int shift = coefficient == sign ? 3 * sign : sign;  // in units of 1 / 64
  return coefficient - shift * (1.0 / 64);
}

// The error, in squared steps, that a bit must save to be spent. At a high rate a uniform quantiser's slope is
// ln 2 / 6 = 0.116; zeros that cost little ask for more.
constexpr double kSlope = 0.12;

// What both coders keep of a plane.
struct PlaneState {
  explicit PlaneState(size_t column_count);
  size_t Segments() const { return now.size() - 2; }
  size_t SegmentSize(size_t segment) const { return std::min(columns - segment * kSegmentColumns, kSegmentColumns); }
  uint32_t Neighbours(size_t segment) const {
    return (now[segment] != 0 ? 1u : 0u) | (above[segment + 1] != 0 ? 2u : 0u) | (above[segment + 2] != 0 ? 4u : 0u);
  }
  void StartRow();

  size_t columns;
  PlaneContext context;
  std::vector<uint8_t> now, above;  // whether segment i is not all zero, at i + 1
};

// Both are for one plane, and must not outlive model and coder. Not thread-safe.
class PlaneEncoder {
 public:
  PlaneEncoder(PlaneKind kind, size_t columns, CoefficientModel* model, RangeEncoder* coder);

  // The next row, in steps. `slope`: kSlope over how much an error of this row weighs. Writes the coefficients chosen.
  void EncodeRow(const double* row, double slope, int32_t* coefficients);
  // The stream as far as it is needed for all coefficients that are not zero; `before` if there were none.
  RangeEncoder::Mark needed(const RangeEncoder::Mark& before) const { return any_ ? needed_ : before; }

 private:
  bool WorthCoding(const double* values, size_t count, double slope);
  uint32_t Choose(double magnitude, double slope, const CoefficientPlace& place,
                  const PlaneModel::ZeroPrediction& nonzero, PlaneModel::SizePredictions* sizes);
  double MagnitudeCost(uint32_t magnitude, const CoefficientPlace& place, PlaneModel::SizePredictions* sizes);
  void EncodeSegment(const double* values, double slope, size_t first, size_t count, int32_t* coefficients);

  PlaneModel* const model_;
  RangeEncoder* const coder_;
  PlaneState state_;
  double place_ = 0;  // bits that a value of this segment is let cost at most: place and sign
  bool any_ = false;
  RangeEncoder::Mark needed_;
};

class PlaneDecoder {
 public:
  PlaneDecoder(PlaneKind kind, size_t columns, CoefficientModel* model, RangeDecoder* coder);

  // The next row. What the stream does not tell is zero.
  void DecodeRow(int32_t* coefficients);

 private:
  bool DecodeSegment(size_t first, size_t count, int32_t* coefficients);

  PlaneModel* const model_;
  RangeDecoder* const coder_;
  PlaneState state_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_PLANE_CODER_H_
