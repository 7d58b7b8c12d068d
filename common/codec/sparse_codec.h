// Entries of a vector: positions, ascending, and a value for each. What is not there is 0. The codec of sparse updates
// (local top-k) and of what changed between two versions of a model.
//
// Body: parameter u8 | value_codec u8 | reserved u16 = 0 | position_bytes u32 | first u64 |
//       position_bytes bytes | the body of codec 1 (FP32) or 2 (small floats) for the values.
// `first` is the first position. The others come as bits: gaps in a Rice code (position_code.h) with the parameter that
// takes fewest. docs/wire_format.md 4.6.
#ifndef THINWIRE_COMMON_CODEC_SPARSE_CODEC_H_
#define THINWIRE_COMMON_CODEC_SPARSE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

constexpr size_t kSparseHeaderSize = 16;

// Positions ascend; a value belongs to each.
struct SparseEntries {
  std::vector<uint64_t> positions;
  std::vector<float> values;
};

// Appends the frame of some entries to `frame`. `scale` is what the codec of the values (CodecSpec::SparseValues) chose
// over all of them. INVALID_ARGUMENT, with `frame` as it was, without entries, for positions that do not ascend, and as
// Codec::Encode.
absl::Status EncodeSparseFrame(const CodecSpec& codec, absl::Span<const uint64_t> positions,
                               absl::Span<const float> values, float scale, std::string* frame);

// Decodes a frame of exactly `positions.size()` entries of a vector of `dimension` values. INVALID_ARGUMENT if it is
// malformed, holds another number, or positions outside; DATA_LOSS and UNIMPLEMENTED as DecodeFrame. Time and memory
// are those of the entries and the frame's bytes, whatever it claims.
absl::Status DecodeSparseFrame(absl::string_view frame, uint64_t dimension, absl::Span<uint64_t> positions,
                               absl::Span<float> values);

// What stands before the position bits, and the values' own header.
struct SparseHeader {
  CodecSpec codec;
  float scale = 1;    // of the values
  int parameter = 0;  // of the Rice code
  uint64_t first = 0;
  absl::string_view position_bits, value_body;
};
// INVALID_ARGUMENT unless all of it is lawful for `count` entries. Positions and values are not looked at.
absl::StatusOr<SparseHeader> ReadSparseHeader(absl::string_view body, uint32_t count);

// The most bytes that a frame of `count` entries of a vector of `dimension` values takes.
uint64_t MaxSparseFrameSize(const CodecSpec& codec, uint32_t count, uint64_t dimension);

// In a payload, entries are a tensor of `count` values whose name says of how long a vector: both ends derive it.
TensorSpec EntriesTensor(uint64_t count, uint64_t dimension);
// The length of that vector, if `tensor` is one.
std::optional<uint64_t> EntriesDimension(const TensorSpec& tensor);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_SPARSE_CODEC_H_
