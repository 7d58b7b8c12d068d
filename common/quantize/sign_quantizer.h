// Signs and one scale for each tensor, its mean magnitude: 1-bit SGD without its memory (Seide et al. 2014), signSGD
// with scale. Behind the update's header: a scale f32 for each tensor | a bit for each value, 1 for negative.
//
// The mean magnitude makes the squared error least, sum x^2 - (sum |x|)^2 / n, so the code is contractive.
#ifndef THINWIRE_COMMON_QUANTIZE_SIGN_QUANTIZER_H_
#define THINWIRE_COMMON_QUANTIZE_SIGN_QUANTIZER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer.h"

namespace thinwire {

// Bytes behind the header.
inline uint64_t SignBytes(uint64_t tensors, uint64_t values) { return 4 * tensors + (values + 7) / 8; }

absl::StatusOr<std::string> EncodeSign(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options);
absl::Status DecodeSign(BitReader& reader, MutableUpdateView out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_SIGN_QUANTIZER_H_
