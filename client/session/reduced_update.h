// A trained model into an update of which only a part travels: the k largest entries, or a sketch.
#ifndef THINWIRE_CLIENT_SESSION_REDUCED_UPDATE_H_
#define THINWIRE_CLIENT_SESSION_REDUCED_UPDATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/subspace/basis_file.h"
#include "common/tensor/block_source.h"

namespace thinwire {

// u = m - R + decay r: how far the client moved, and what earlier updates did not send, as one vector of the model's
// trainable values. Reads are by whole blocks of its tensors. Thread-compatible; all must outlive it.
class UpdateVector {
 public:
  // `delta`: a DeltaSource of `model`. `error`: r; none: zeros.
  UpdateVector(const ModelSpec& model, BlockSource* delta, const std::optional<BasisFile>& error, double decay)
      : model_(model), delta_(delta), error_(error), decay_(static_cast<float>(decay)) {}
  uint64_t size() const { return model_.count(TensorRole::kTrainable); }
  // Visits all of it in ascending order of positions, at most kBlockValues at once, until `visit` fails.
  absl::Status ForEachBlock(absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> values)> visit);

 private:
  absl::Status ReadBlock(uint32_t tensor, uint64_t first, uint64_t position, absl::Span<float> out);

  const ModelSpec& model_;
  BlockSource* const delta_;
  const std::optional<BasisFile>& error_;
  const float decay_;
  std::vector<float> block_, kept_;
};

// Writes the update that `plan`, of top-k or a sketch, asks for to `path` (not synced). Buffers are those of `trained`;
// `base_id` names R. INVALID_ARGUMENT for NaN or infinity.
absl::StatusOr<PayloadRef> EncodeReducedUpdate(const ExchangePlan& plan, uint64_t run_seed, const ModelSpec& model,
                                               UpdateVector* update, BlockSource& trained, const Digest& base_id,
                                               const std::string& path);

// What a top-k update at `path` does not send of `update`, for a reader that asks in ascending order: u minus what the
// server decodes.
class UnsentError {
 public:
  static absl::StatusOr<UnsentError> Create(const ExchangePlan& plan, const ModelSpec& model, const PayloadRef& payload,
                                            const std::string& path);
  // Turns values of u at positions `first` and on into those that were not sent.
  void Subtract(uint64_t first, absl::Span<float> values);

 private:
  SparseEntries sent_;
  size_t next_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_REDUCED_UPDATE_H_
