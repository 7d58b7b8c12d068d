// What a payload file says of itself, for the operator's tool.
#ifndef THINWIRE_COMMON_CODEC_INSPECT_H_
#define THINWIRE_COMMON_CODEC_INSPECT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/codec/payload.h"

namespace thinwire {

// One tensor's segments together. The file names tensors only by their index in the ModelSpec that it is of: of what a
// plan derives from the model, where not all of an update travels.
//
// A value is a number that the payload carries: of a sparse tensor (top-k, changes) an entry, whose bits are those of
// its position too; of a sketch a cell; in a subspace a coordinate. Only a codec of whole updates says, and is reckoned
// by, how many values the update has. What another update comes to for each of the model's parameters, a payload cannot
// tell.
struct TensorReport {
  uint32_t tensor = 0;
  uint32_t blocks = 0;
  uint64_t values = 0;
  uint64_t bytes = 0;  // frames, headers included
  std::string codec;   // "fp32", "s1e3m7 (power-of-two scale)", "int64"; "mixed" if blocks differ
  float scale = 1;     // of the first block
  uint64_t exact = 0;  // values in row blocks that float blocks hold in FP32
  double bits_per_value() const {
    return values == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(values);
  }
};

struct PayloadReport {
  PayloadRef ref;
  Representation representation = Representation::kModel;
  Digest model_id;
  Digest base_id;
  std::vector<TensorReport> tensors;
  uint64_t values = 0;
  // Of the whole payload, manifest included.
  double bits_per_value() const { return ref.bits_per(values); }
};

// Reads every frame's header and checks every hash. Errors as PayloadReader's: NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS,
// UNIMPLEMENTED.
absl::StatusOr<PayloadReport> InspectPayload(const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_INSPECT_H_
