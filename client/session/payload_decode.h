// Payload files into the values that a trainer works on.
#ifndef THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_
#define THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// Decodes R into `state`, whose spec both readers were opened with: trainable tensors and buffers from `model`, frozen
// tensors from `frozen`, which may be null if there are none. Errors: those of PayloadReader; on error `state` is
// partly overwritten.
absl::Status DecodeModel(const PayloadReader& model, const PayloadReader* frozen, ModelState* state);

// The hash of every segment: DATA_LOSS if one differs. INVALID_ARGUMENT if there are frozen tensors and no payload of
// them.
absl::Status CheckModel(const PayloadReader& model, const PayloadReader* frozen, const ModelSpec& spec);

// R block by block from its files. Reads must cover whole blocks. Thread-compatible.
class ModelSource : public BlockSource {
 public:
  // All must outlive it; `frozen` may be null if the model has no frozen tensors. `check`: kFrameOnly if CheckModel has
  // found all segments whole.
  ModelSource(const ModelSpec& spec, const PayloadReader& model, const PayloadReader* frozen, SegmentCheck check)
      : spec_(spec), model_(model, check), frozen_(frozen == nullptr ? model : *frozen, check) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    return SourceOf(tensor).ReadFloats(tensor, first, out);
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return SourceOf(tensor).ReadInts(tensor, first, out);
  }
  absl::StatusOr<bool> ReadFrame(uint32_t tensor, uint64_t first, std::string* frame) override {
    return SourceOf(tensor).ReadFrame(tensor, first, frame);
  }

 private:
  PayloadSource& SourceOf(uint32_t tensor) {
    return spec_.tensors()[tensor].role == TensorRole::kFrozen ? frozen_ : model_;
  }

  const ModelSpec& spec_;
  PayloadSource model_, frozen_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_
