// A trained model into the payload that travels up.
#ifndef THINWIRE_CLIENT_SESSION_UPDATE_ENCODER_H_
#define THINWIRE_CLIENT_SESSION_UPDATE_ENCODER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// What a delta carries: for trainable tensors m - R, R decoded block by block from its payload file, so that no second
// copy of the model is in memory; for buffers the values themselves.
// Thread-compatible; all must outlive it and not change, and `base` was decoded before: its hashes are not checked
// again.
class DeltaSource : public BlockSource {
 public:
  DeltaSource(const ModelSpec& spec, BlockSource* trained, const PayloadReader& base)
      : spec_(spec), trained_(trained), base_(base, SegmentCheck::kFrameOnly) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  const ModelSpec& spec_;
  BlockSource* const trained_;
  PayloadSource base_;
  std::vector<float> block_;  // of R
};

// Writes the update that `plan` asks for to `path` (not synced); its manifest names `base` as R. With partial
// quantisation, the row blocks that stay exact are drawn by the assignment's `seed`, or, in a model upload, are those
// that are exact in `base`. INVALID_ARGUMENT, naming the tensor, for NaN or infinity.
absl::StatusOr<PayloadRef> EncodeUpdate(const ExchangePlan& plan, const ModelSpec& spec, BlockSource& trained,
                                        const PayloadReader& base, uint64_t seed, const std::string& path);

// Writes fresh weights as an FP32 model without a base. INVALID_ARGUMENT also if there are frozen tensors.
absl::StatusOr<PayloadRef> EncodeInitialModel(const ModelSpec& spec, BlockSource& fresh, const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_UPDATE_ENCODER_H_
