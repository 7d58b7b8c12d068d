// Training in a seeded random subspace (docs/igc.md), as plain data: part of the exchange plan.
#ifndef THINWIRE_COMMON_CODEC_SUBSPACE_PLAN_H_
#define THINWIRE_COMMON_CODEC_SUBSPACE_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// The model is theta_e + sum over k of A_(e,k) Sigma_k. What travels is Sigma, K vectors of d numbers, and the buffers.
struct SubspacePlan {
  static constexpr uint64_t kMaxDimension = uint64_t{1} << 26;
  static constexpr uint32_t kMaxVectors = 64;

  uint64_t dimension = 0;        // d
  uint32_t vectors = 1;          // K: matrices at once, of which each client trains in one
  uint32_t epoch_rounds = 0;     // E: versions after which new matrices are drawn; 0: never
  uint64_t block_size = 0;       // of the matrices (common/subspace/fastfood.h); 0: one block over the whole model
  bool normal_diagonal = false;  // normal numbers on their diagonal, not signs

  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "4096 coordinates", "4 x 4096 coordinates, new ones every 20 versions".
  std::string Name() const;
  // "d=4096", with any of ",k=4", ",epoch=20", ",block=65536" and ",normal". Validated.
  static absl::StatusOr<SubspacePlan> Parse(absl::string_view text);

  friend bool operator==(const SubspacePlan& a, const SubspacePlan& b) {
    return a.dimension == b.dimension && a.vectors == b.vectors && a.epoch_rounds == b.epoch_rounds &&
           a.block_size == b.block_size && a.normal_diagonal == b.normal_diagonal;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_SUBSPACE_PLAN_H_
