// Lossy codes of a whole update under a hard budget of bits: an update in, one byte string out that says itself how it
// is to be read, and back. Everything is in the string: levels, scales, positions, seeds, counts. What is not, the
// tensors' sizes, both ends have with the model. docs/quantize.md has the format.
//
// Stateless and thread-safe: nothing is kept between calls. Strings are decoded to the same values on every machine;
// encoders with fitted levels use libm and may choose other levels on another one.
#ifndef THINWIRE_COMMON_QUANTIZE_QUANTIZER_H_
#define THINWIRE_COMMON_QUANTIZE_QUANTIZER_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/quantize/quantizer_spec.h"
#include "common/quantize/update.h"

namespace thinwire {

constexpr uint8_t kUpdateVersion = 1;

struct QuantizeOptions {
  // The string is never longer. Top-K spends it on entries, EDEN on bits per value, QSGD on levels.
  uint64_t budget_bits = std::numeric_limits<uint64_t>::max();
  // Top-K: at most so many entries, for a share of entries fixed beforehand as in the papers.
  uint64_t max_kept = std::numeric_limits<uint64_t>::max();
  // Of random rounding and rotation; derive it from run, round and client.
  uint64_t seed = 0;
};

// INVALID_ARGUMENT for a wrong spec, values that are not finite or beyond 2^96, and a budget below what the quantiser
// takes at least, which the message names. Top-K needs only the few bytes of an update of zeros.
absl::StatusOr<std::string> QuantizeUpdate(const QuantizerSpec& spec, UpdateView update,
                                           const QuantizeOptions& options);

// The bytes of the shortest string for tensors of these sizes: of an update of zeros, whatever the values are. QSGD may
// need more for others. `spec` is valid.
uint64_t LeastQuantizedBytes(const QuantizerSpec& spec, absl::Span<const uint64_t> sizes);

// Into tensors of the sizes that were encoded. UNIMPLEMENTED for an unknown version or quantiser, INVALID_ARGUMENT for
// anything malformed; `out` then holds anything. Every decoded value is finite. Memory beyond `out` is at most 64 times
// the string's, or that of two of EDEN's blocks; time that of both.
absl::Status DequantizeUpdate(absl::string_view bytes, MutableUpdateView out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_QUANTIZER_H_
