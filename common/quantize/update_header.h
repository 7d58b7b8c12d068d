// What every quantised update starts with: version u8 = 1 | method u8 | tensors varint | values varint. For the
// quantisers of this folder.
#ifndef THINWIRE_COMMON_QUANTIZE_UPDATE_HEADER_H_
#define THINWIRE_COMMON_QUANTIZE_UPDATE_HEADER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer_spec.h"
#include "common/quantize/update.h"

namespace thinwire {

// A new string that holds the header.
std::string StartUpdate(QuantizerMethod method, UpdateView update);
// Reads the header and compares it with what is expected; the method.
absl::StatusOr<QuantizerMethod> ReadUpdateHeader(BitReader& reader, MutableUpdateView out);

// INVALID_ARGUMENT that says what a budget would have to be.
absl::Status BudgetTooSmall(const std::string& quantizer, uint64_t budget_bits, uint64_t least_bits);

// A binary32 in a stream, and one that must be finite and not negative.
void WriteFloat(float value, BitWriter& writer);
absl::StatusOr<float> ReadScale(BitReader& reader);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_UPDATE_HEADER_H_
