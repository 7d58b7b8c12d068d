// An update ready to be coded at any step, and the search for the step that meets a budget.
#ifndef THINWIRE_COMMON_RDU_UPDATE_ENCODER_H_
#define THINWIRE_COMMON_RDU_UPDATE_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/rdu/rate_model.h"
#include "common/rdu/update_stream.h"

namespace thinwire {

using Ranks = std::vector<size_t>;

// The statistics of all tensors. Immutable; thread-safe.
class UpdateEncoder {
 public:
  // The matrices' values must outlive this. Components are sought up to max_ranks[i] of tensor i.
  UpdateEncoder(const std::vector<MatrixView>& matrices, const Ranks& max_ranks);

  double value_count() const { return value_count_; }
  // Whether all values are zero, or too small for any step.
  bool zero() const;
  // Coefficients stay below 2^30 from this step on.
  StepCode finest_step() const;
  // From this step on, everything is zero.
  StepCode coarsest_step() const;

  // The best ranks at this step, and how many bits that will take, by the rate model.
  Ranks ChooseRanks(StepCode step, double* bits) const;
  // Header and stream. Nothing if no coefficient differs from zero.
  std::string Encode(StepCode step, const Ranks& ranks) const;

 private:
  std::vector<TensorStatistics> tensors_;
  double value_count_ = 0, largest_norm_ = 0, absmax_ = 0;
};

struct BudgetResult {
  std::string bytes;
  StepCode step = 0;
  Ranks ranks;
  int trials = 0;
  bool finest = false;
};

// The update at the step that comes nearest to `budget` bytes from above, cut to them. At most `max_trials` codings.
BudgetResult EncodeToBudget(const UpdateEncoder& encoder, size_t budget, int max_trials);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_UPDATE_ENCODER_H_
