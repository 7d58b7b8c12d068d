// The quantisers that keep the largest entries: M22, TINYSCRIPT, uniform and small floats. Behind the update's header:
//   what u8 (value coding, plus 16 times the position layout) | a u8 | b u8 | positions | tables | labels
// a, b: R and 0, or exponent and mantissa bits of a float. Nothing follows if no entry is kept. Tables are one for each
// tensor of which enough entries are kept (OwnTable), in order, then one that all other kept entries share, if there
// are any. A label is the index of a magnitude, R-1 bits, above a sign of one bit, 1 for negative.
#ifndef THINWIRE_COMMON_QUANTIZE_TOP_K_QUANTIZER_H_
#define THINWIRE_COMMON_QUANTIZE_TOP_K_QUANTIZER_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer.h"

namespace thinwire {

// A table of one's own costs at most half a bit for each entry that uses it, and the decoder's memory for it is in
// proportion to these entries.
inline bool OwnTable(const ValueFormat& format, uint64_t kept) {
  const uint64_t magnitudes = uint64_t{1} << (format.width() - 1);
  return kept > 0 && kept >= 2 * std::max<uint64_t>(static_cast<uint64_t>(format.table_bits()), magnitudes);
}

// Behind the header, if no entry is kept.
constexpr uint64_t kTopKParameterBytes = 3;

// `update` and `spec` were checked.
absl::StatusOr<std::string> EncodeTopK(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options);
// What follows the header.
absl::Status DecodeTopK(BitReader& reader, MutableUpdateView out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_TOP_K_QUANTIZER_H_
