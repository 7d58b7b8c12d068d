// EDEN (Vargaftik et al., ICML 2022), of which DRIVE (NeurIPS 2021) is the case of 1 bit: an update is rotated, its
// values are then nearly normal whatever they were, and are quantised with the levels of a normal variable. Any rate:
// of the rotated values, some have one bit more than the others, chosen by the seed; below one bit those others have
// none and count as 0. Behind the update's header:
//   rotations u8 | block_log2 u8 | bits u8 | share u16 | seed u64 | a scale f32 for each block | labels
// Rotated value i, counted through all blocks with their padding, has bits + 1 bits if half i of the seed's random
// halves is below `share`, else `bits`. A label is the index of a magnitude above a sign of one bit, 1 for negative.
//
// The scale of a block is <z, q> / <q, q> for the least squared error (then the code is contractive), or |z|^2 / <z, q>
// for an estimate without bias. It has none on average over uniform rotations; with one Hadamard rotation that is
// nearly so, except for vectors with a few large values, for which two rotations help (docs/quantize.md).
#ifndef THINWIRE_COMMON_QUANTIZE_ROTATED_QUANTIZER_H_
#define THINWIRE_COMMON_QUANTIZE_ROTATED_QUANTIZER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer.h"

namespace thinwire {

// The fewest bytes behind the header: scales without labels.
uint64_t LeastRotatedBytes(const QuantizerSpec& spec, uint64_t values);

absl::StatusOr<std::string> EncodeRotated(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options);
absl::Status DecodeRotated(BitReader& reader, MutableUpdateView out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_ROTATED_QUANTIZER_H_
