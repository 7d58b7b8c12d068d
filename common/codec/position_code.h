// Ascending positions as bits: gaps in a Rice code (Rice 1979, that is Golomb 1966 with a power of two: best for gaps
// of a memoryless source). With parameter 0 it is a bitmap of what is not there. Bit j of a stream is bit j mod 8 of
// byte j / 8.
#ifndef THINWIRE_COMMON_CODEC_POSITION_CODE_H_
#define THINWIRE_COMMON_CODEC_POSITION_CODE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

struct PositionCode {
  static constexpr int kMaxParameter = 40;  // positions are below ModelSpec::kMaxValues

  int parameter = 0;  // a gap's lowest bits that stand as they are
  uint64_t bits = 0;  // that the positions behind the first one take
};

// The shortest code of positions that ascend; of equal ones that with the lowest parameter.
PositionCode ChoosePositionCode(absl::Span<const uint64_t> positions);
// The bits of all positions but the first, unused bits of the last byte 0.
std::string WritePositions(absl::Span<const uint64_t> positions, int parameter);
// The positions behind out[0], which is given, from exactly `bits`. INVALID_ARGUMENT if they are not so many, if one is
// not below `dimension`, or bits are left over.
absl::Status ReadPositions(absl::string_view bits, int parameter, uint64_t dimension, absl::Span<uint64_t> out);
// The most bits for `count` positions below `dimension`.
uint64_t MaxPositionBits(uint64_t count, uint64_t dimension);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_POSITION_CODE_H_
