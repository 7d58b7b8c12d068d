// The fast profile: values above a threshold, quantised with one step, as a sparse stream (sparse_stream.h). One sweep
// over the values; everything else costs time by what is sent, not by what there is.
#ifndef THINWIRE_COMMON_RDU_FAST_UPDATE_H_
#define THINWIRE_COMMON_RDU_FAST_UPDATE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/rdu/sparse_stream.h"
#include "common/rdu/update_stream.h"

namespace thinwire {

struct FastResult {
  std::string bytes;  // none if the budget is too small or everything is zero
  StepCode step = 0;
  int trials = 0;  // how many steps were looked at
  bool finest = false;
};

// The tensors in coding order, with no more than `budget` bytes. INVALID_ARGUMENT for NaN and infinities, naming the
// tensor by order[i] if it is tensors[i].
absl::StatusOr<FastResult> EncodeFast(const std::vector<absl::Span<const float>>& tensors,
                                      const std::vector<size_t>& order, size_t budget);

// Writes one tensor after the other.
class FastDecoder {
 public:
  FastDecoder(SparseReader reader, double step) : reader_(reader), step_(step) { Advance(); }

  void Next(absl::Span<float> out);
  // INVALID_ARGUMENT if there are entries beyond the last tensor, or bytes are damaged.
  absl::Status Finish() const;

 private:
  void Advance();

  SparseReader reader_;
  const double step_;
  bool pending_ = false;
  uint64_t gap_ = 0;  // of the pending entry, from here
  float value_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_FAST_UPDATE_H_
