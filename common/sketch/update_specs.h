// What clients send when not all of an update travels, as models that both ends derive from the trained one and the
// plan, like those of a subspace (common/subspace/coordinates.h).
#ifndef THINWIRE_COMMON_SKETCH_UPDATE_SPECS_H_
#define THINWIRE_COMMON_SKETCH_UPDATE_SPECS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/codec/exchange_plan.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// `plan` of top-k, a sketch or a coded update that CheckFits the model: one trainable tensor, of entries
// (EntriesTensor), of the table, "thinwire.sketch" [rows, columns], or of the update (UpdateTensorSpec), then the
// model's buffers in their order; of a coded update at most two tensors of their differences (buffer_frame.h), none
// where there are none. Positions count the values of the model's trainable tensors in its order.
ModelSpec ReducedUpdateSpec(const ExchangePlan& plan, const ModelSpec& model);
// By tensor of a ReducedUpdateSpec, the model's: of buffers, the same one. The first entry, 0, means nothing. Not of a
// coded update.
std::vector<uint32_t> TensorsOfReducedUpdate(const ModelSpec& model);
// Whether that is what clients send under `plan`.
inline bool SendsReducedUpdates(const ExchangePlan& plan) {
  return plan.top_k > 0 || plan.sketch.has_value() || plan.update.has_value();
}
// What of a model changed: one tensor of `count` entries (EntriesTensor), then the model's buffers.
ModelSpec ChangesSpec(const ModelSpec& model, uint64_t count);
// Whether clients are sent only that, if they have an older version: where all else stays what it was, bit for bit. Not
// with coded updates, which may move nearly everything.
inline bool SendsChanges(const ExchangePlan& plan) {
  return SendsReducedUpdates(plan) && !plan.update.has_value() && plan.downlink == CodecSpec::Fp32();
}
// INVALID_ARGUMENT if it cannot be made: the model has a buffer of the first tensor's name.
absl::Status CheckReducedUpdateFits(const ExchangePlan& plan, const ModelSpec& model);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SKETCH_UPDATE_SPECS_H_
