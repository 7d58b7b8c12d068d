// What a budget of payload_bits leaves for an update, and whether it leaves enough.
#ifndef THINWIRE_COMMON_UPDATE_UPLOAD_BUDGET_H_
#define THINWIRE_COMMON_UPDATE_UPLOAD_BUDGET_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/exchange_plan.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Bytes for the update's string in a payload of `spec` (ReducedUpdateSpec of a plan with an update codec) that takes no
// more than `bits` with manifest, frame headers and buffers; none if not even an empty string has room.
std::optional<uint64_t> UpdateRoom(const ModelSpec& spec, uint64_t bits);
// What the plan's updates are of: the model that is trained, or in a subspace the coordinates that a client sends, to
// which bits a parameter then refer. The model fits the plan's subspace.
ModelSpec CodedModel(const ExchangePlan& plan, const ModelSpec& model);
// The smallest budget that holds an update of a CodedModel, be it one of zeros. The plan has an update codec.
uint64_t LeastUploadBits(const ExchangePlan& plan, const ModelSpec& coded);
// INVALID_ARGUMENT, with the smallest budget that would do, if `bits` are too few for an update of a CodedModel.
absl::Status CheckBudget(const ExchangePlan& plan, const ModelSpec& coded, uint64_t bits);

// What a client whose link was measured to carry `bits_per_second` (0: nothing is known) is granted for one upload of a
// CodedModel: the plan's budget, or if that is of measured links what its own one carries in the time, but no less than
// LeastUploadBits and no more than 32 bits a value. The plan has an update codec.
uint64_t GrantedBits(const ExchangePlan& plan, const ModelSpec& coded, uint64_t bits_per_second);

// CheckReducedUpdateFits, and if the plan has an update codec CheckSubspaceFits and CheckBudget.
absl::Status CheckUploadFits(const ExchangePlan& plan, const ModelSpec& model);
// The most bytes that an upload of `spec`, what clients send under the plan, can have: of its budget if it has one and
// that is the same for all, else MaxPayloadSize. More is refused before it is read.
absl::StatusOr<uint64_t> MaxUploadSize(const ExchangePlan& plan, const ModelSpec& spec);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_UPDATE_UPLOAD_BUDGET_H_
