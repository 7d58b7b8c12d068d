// Payload files into the values that a trainer works on.
#ifndef THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_
#define THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_

#include "absl/status/status.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// Decodes R into `state`, whose spec both readers were opened with: trainable tensors and buffers from `model`, frozen
// tensors from `frozen`, which may be null if there are none. Errors: those of PayloadReader; on error `state` is
// partly overwritten.
absl::Status DecodeModel(const PayloadReader& model, const PayloadReader* frozen, ModelState* state);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_PAYLOAD_DECODE_H_
