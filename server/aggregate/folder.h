// One update from its spool file into the accumulator, and a round's aggregate into a new version: both block by block.
//
// An update is always relative to R, the exact decoded downlink that its client started from. Trainable tensors: a
// delta upload carries m - R, a model upload carries m, and the server folds m - R. Float buffers: both carry the
// buffer b itself, exact in FP32, and the server folds b - R. Integer buffers: both carry the value; the maximum is
// kept. An update that is coded whole carries differences to R, rounded of float buffers (common/codec/buffer_frame.h).
#ifndef THINWIRE_SERVER_AGGREGATE_FOLDER_H_
#define THINWIRE_SERVER_AGGREGATE_FOLDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "common/update/buffer_differences.h"
#include "common/update/update_coder.h"
#include "server/aggregate/accumulator.h"
#include "server/aggregate/round_aggregate.h"
#include "server/aggregate/strategy.h"

namespace thinwire {

// Of an update that is not of the sums' own model: where its tensors belong. With entries (common/codec/sparse_codec.h)
// tensor 0 is spread over the trainable tensors of the sums, and so it is with a coded update (update_frame.h).
struct UpdateForm {
  std::vector<uint32_t> base_tensors;  // by tensor of the update: the same in R
  std::vector<uint32_t> sum_tensors;   // ... in the sums
  uint32_t sketch_rows = 1;            // of a sketch: its squares are the update's, so many times
  // Of a coded update, in place of the lists: the buffers of R, which are those of the sums.
  std::optional<BufferVectors> buffers = std::nullopt;
};

struct FoldRequest {
  std::string path;  // the spooled payload
  PayloadRef payload;
  const PayloadReader* base = nullptr;  // R, the downlink payload of the round's version; must outlive the call
  Digest base_id;                       // what the update's manifest must name
  uint64_t weight = 0;
  double max_norm = 0;  // L2 over trainable tensors
  // Where its trainable values belong in the round's sums: in a subspace a client sends one vector of several.
  uint64_t first_coordinate = 0;
  double clip_norm = 0;              // trainable values of a larger norm are scaled down to it; 0: never
  const UpdateForm* form = nullptr;  // null: tensors are those of R and of the sums; must outlive the call
  // What a coded update (update_frame.h) is of, its tensors' indices being those of the sums; must outlive the call.
  // Null if there can be none: one is then refused, as it is without `form->buffers`.
  const UpdateLayout* layout = nullptr;
};

struct FoldReport {
  double norm = 0;  // of the trainable part, as it came; of a sketch, what its rows say on average
  bool clipped = false;
};

// Reads the file twice: first everything is checked (frames, hashes, finiteness, bounds, norm), then it is folded.
// INVALID_ARGUMENT, DATA_LOSS or UNIMPLEMENTED: the update's fault, and the accumulator is untouched. Other codes are
// the server's trouble: INTERNAL if R or, the second time, the update itself cannot be read; in the latter case the
// accumulator is spoiled (Accumulator::Spoil). RESOURCE_EXHAUSTED if the round has no room for another update.
// Thread-safe.
absl::StatusOr<FoldReport> FoldUpdate(const ModelSpec& spec, const FoldRequest& request, Accumulator* accumulator);

struct PublishRequest {
  std::string old_weights;  // safetensors of the base version
  std::string old_state;    // optimiser state of the base version; empty: all zero
  std::string new_weights;  // to be written
  std::string new_state;    // to be written if the strategy has state
  StrategyOptions strategy;
};

// Names of the written files' contents.
struct WrittenVersion {
  Digest weights_sha256;
  Digest state_sha256;  // none without state
};

// Streams old weights and the aggregate of the updates into new files, synced. The bits of a weight stay as they are
// where its aggregate (and its state) is 0. INVALID_ARGUMENT, naming the tensor, if a result is not finite (nothing
// durable is harmed: the old version stays); FAILED_PRECONDITION if nothing was added. With a sketch the aggregate is
// of ReducedUpdateSpec, not of `spec`.
absl::StatusOr<WrittenVersion> WriteNewVersion(const ModelSpec& spec, const RoundAggregate& aggregate,
                                               const PublishRequest& request);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_FOLDER_H_
