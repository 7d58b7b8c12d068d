// The positions of kept entries in an update's bytes: as one list over all tensors, or as one list for each tensor,
// whichever takes fewer bytes. A list is
//   count varint | first varint | code u8 | size varint | size bytes (common/codec/position_code.h)
// without `first` and what follows if it is empty, without `code` and what follows if it holds one position. Code 0xff:
// positions follow each other, and nothing follows. Any other is the parameter of the Rice code of the gaps.
#ifndef THINWIRE_COMMON_QUANTIZE_ENTRY_POSITIONS_H_
#define THINWIRE_COMMON_QUANTIZE_ENTRY_POSITIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/quantize/bit_stream.h"

namespace thinwire {

// Frozen in the format. Without entries there is nothing but the layout.
enum class PositionLayout : uint8_t { kNone = 0, kWhole = 1, kPerTensor = 2 };

struct CodedPositions {
  PositionLayout layout = PositionLayout::kNone;
  std::string bytes;
};

// `positions` ascend and lie within the tensors, of which `sizes` has the values.
CodedPositions CodePositions(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes);

// The bytes that CodePositions gives, without making them.
uint64_t PositionBytes(absl::Span<const uint64_t> positions, absl::Span<const uint64_t> sizes);

// The flat positions. INVALID_ARGUMENT naming the fault, also for more entries than `reader` has room for at
// `bits_per_entry` each, before memory is taken for them.
absl::StatusOr<std::vector<uint64_t>> ReadEntryPositions(PositionLayout layout, absl::Span<const uint64_t> sizes,
                                                         int bits_per_entry, BitReader& reader);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_ENTRY_POSITIONS_H_
