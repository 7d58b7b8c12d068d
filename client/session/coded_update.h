// A trained model into an update that is coded whole, under the plan's budget of bits (docs/rdu.md, docs/quantize.md).
#ifndef THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_
#define THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/reduced_update.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"

namespace thinwire {

// Writes the update that `plan` asks for to `path` (not synced): never more bits than its budget. `model` is what the
// update is of (CodedModel). Buffers are those of `trained`; `base_id` names R; `seed`, the assignment's, decides
// random rounding. `unsent` becomes u minus what the server decodes, for error feedback; null: not wanted.
// INVALID_ARGUMENT, naming the tensor, for NaN or infinity, and for a budget that holds no update of this model.
// Memory: the update, 4 bytes a value, and what CodeUpdate takes.
absl::StatusOr<PayloadRef> EncodeCodedUpdate(const ExchangePlan& plan, const ModelSpec& model, UpdateVector* update,
                                             BlockSource& trained, const Digest& base_id, uint64_t seed,
                                             const std::string& path, std::vector<float>* unsent);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_
