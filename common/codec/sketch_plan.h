// FetchSGD (Rothchild et al. 2020, "FetchSGD: communication-efficient federated learning with sketching", arXiv
// 2007.07682) as plain data: part of the exchange plan.
#ifndef THINWIRE_COMMON_CODEC_SKETCH_PLAN_H_
#define THINWIRE_COMMON_CODEC_SKETCH_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Clients upload a count sketch of their update. The server keeps momentum and what it has not applied yet as sketches,
// and moves k weights each round.
struct SketchPlan {
  static constexpr uint32_t kMaxRows = 32;
  static constexpr uint64_t kMaxColumns = uint64_t{1} << 28;

  uint32_t rows = 5;
  uint64_t columns = 0;
  uint64_t k = 0;         // weights that move in a round
  double momentum = 0.9;  // rho
  // What a round has applied is subtracted from the error sketch, as the paper's algorithm 1 says. Otherwise the cells
  // that it fell into are set to 0, as in the paper's experiments.
  bool subtract = false;

  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "sketch of 5 x 10000 (top 4096, momentum 0.9)".
  std::string Name() const;
  // "columns=10000,k=4096", with any of ",rows=5", ",momentum=0.9" and ",subtract". Validated.
  static absl::StatusOr<SketchPlan> Parse(absl::string_view text);

  friend bool operator==(const SketchPlan& a, const SketchPlan& b) {
    return a.rows == b.rows && a.columns == b.columns && a.k == b.k && a.momentum == b.momentum &&
           a.subtract == b.subtract;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_SKETCH_PLAN_H_
