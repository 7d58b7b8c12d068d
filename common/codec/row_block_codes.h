// The codes of one row block whose groups of values have scales of their own: what a frame of float blocks
// (float_blocks_codec.h) and a client's packed matrix both consist of. One sweep of the kernel over the whole block,
// with the groups' scales beside it; same bits as the kernel would give group by group.
#ifndef THINWIRE_COMMON_CODEC_ROW_BLOCK_CODES_H_
#define THINWIRE_COMMON_CODEC_ROW_BLOCK_CODES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/codec/row_blocks.h"

namespace thinwire {

struct RowBlockFormat {
  FloatFormat format;
  ScaleRule scale = ScaleRule::kPowerOfTwo;
  size_t group = kRowBlockValues;  // values that share a scale: 64 to 4,096, a power of two

  // Groups of a row block of `count` values, the last one perhaps shorter.
  size_t GroupsOf(size_t count) const { return (count + group - 1) / group; }
};

// By group. A row block with fewer groups leaves the rest of them without meaning.
using GroupScales = std::array<float, (kRowBlockValues >> BlockOptions::kMinGroupLog2)>;

// All functions below are pure and thread-safe, and take at most kRowBlockValues values.

// As ChooseFloatScale for each group, and 1 behind them. The values are finite.
GroupScales ChooseGroupScales(const RowBlockFormat& format, absl::Span<const float> values);

// Divides by the scales, rounds and packs, as EncodeFloats, or as EncodeFloatsDithered if `dither` is not null: one
// number for each value. The values are finite; the scales are lawful, and such that no quotient overflows.
void EncodeRowBlock(const RowBlockFormat& format, const GroupScales& scales, absl::Span<const float> values,
                    const uint16_t* dither, uint8_t* codes);
// Dither of a whole row block that rounds towards zero.
const uint16_t* TruncatingDither();

// The inverse, as DecodeFloats: false if a code is no number.
bool DecodeRowBlock(const RowBlockFormat& format, const GroupScales& scales, const uint8_t* codes,
                    absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_ROW_BLOCK_CODES_H_
