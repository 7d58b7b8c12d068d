// A trained model into an update that is coded whole, under the plan's budget of bits (docs/rdu.md, docs/quantize.md).
#ifndef THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_
#define THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/reduced_update.h"
#include "common/codec/coding_report.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"

namespace thinwire {

struct CodedUpdate {
  PayloadRef payload;
  std::vector<float> unsent;  // the update minus what the server decodes of it, for error feedback
  CodingReport report;        // but for its time
};

// Where an update comes from, and what decides how it is coded.
struct CodedUpdateRequest {
  uint64_t most_bits = 0;  // that the payload may have
  uint32_t round = 1;
  Digest base_id;     // names R
  uint64_t seed = 0;  // the assignment's: decides random rounding
  // Where the buffers of R and of what was trained are, by the tensors of the model that the update is of.
  BlockSource* base_buffers = nullptr;
  BlockSource* trained = nullptr;
};

// Writes the update that `plan` asks for to `path` (not synced): never more bits than allowed. `model` is what the
// update is of (CodedModel); buffers travel as BufferDifferences.
// INVALID_ARGUMENT, naming the tensor, for NaN or infinity, in buffers too, and for a budget that holds no update of
// this model. Memory: the update, 4 bytes a value, and what CodeUpdate takes; before that the buffers, twice.
absl::StatusOr<CodedUpdate> EncodeCodedUpdate(const ExchangePlan& plan, const ModelSpec& model, UpdateVector* update,
                                              const CodedUpdateRequest& request, const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_CODED_UPDATE_H_
