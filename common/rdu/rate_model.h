// What coding a tensor at a step will cost, from its statistics alone, without coding it: which rank its product of
// factors should have, and about how many bits it will take. For an encoder's choices; a decoder knows nothing of it.
//
// A value is taken to come from a Laplace density whose variance is (energy of its row) x (energy of its column) /
// (energy of all); a table gives the least "error + kSlope x bits" of such a value quantised with step 1.
#ifndef THINWIRE_COMMON_RDU_RATE_MODEL_H_
#define THINWIRE_COMMON_RDU_RATE_MODEL_H_

#include <cstddef>
#include <vector>

#include "common/rdu/low_rank.h"

namespace thinwire {

struct CostEstimate {
  double sum = 0;  // squared error in steps + kSlope x bits
  double bits = 0;

  CostEstimate& operator+=(const CostEstimate& other) {
    sum += other.sum;
    bits += other.bits;
    return *this;
  }
};

struct RankChoice {
  size_t rank = 0;
  CostEstimate cost;
};

// How many values have variances of each class, half an octave wide, up to a common scale.
struct VarianceCounts {
  int first = 0;
  std::vector<double> counts;  // of class first + i
  double total = 0;            // of the energies that the variances were made of
};

// What is known of one tensor. Immutable after construction, thread-compatible.
class TensorStatistics {
 public:
  // Of a matrix that outlives this, with at most `max_rank` components looked for.
  TensorStatistics(const MatrixView& matrix, size_t max_rank);

  const MatrixView& matrix() const { return matrix_; }
  const Factors& factors() const { return factors_; }
  double energy() const { return energy_; }
  double absmax() const { return absmax_; }

  // The rank with the least cost at this step. Takes no time to speak of.
  RankChoice ChooseRank(double step) const;

 private:
  const MatrixView matrix_;
  Factors factors_;
  double energy_ = 0, absmax_ = 0;
  VarianceCounts short_side_, long_side_;  // of one component, whose energy is shared out like the matrix's
  std::vector<VarianceCounts> rest_;       // without the first so many components
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_RATE_MODEL_H_
