// A whole update in a payload: the byte string of a codec that takes all trainable tensors at once (codec 6,
// common/rdu; codec 7, common/quantize), in pieces of one frame each. What is in the string is for common/update to
// say. docs/wire_format.md 4.9.
#ifndef THINWIRE_COMMON_CODEC_UPDATE_FRAME_H_
#define THINWIRE_COMMON_CODEC_UPDATE_FRAME_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/codec_spec.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// A frame says of how many values the update is.
constexpr uint64_t kMaxUpdateFrameValues = std::numeric_limits<uint32_t>::max();
// All pieces of a string but the last one have this many bytes: a segment is then as large as one may be.
constexpr uint32_t kUpdatePieceSize = 8 * kBlockValues;

inline bool IsUpdateCodec(CodecId id) { return id == CodecId::kRdu || id == CodecId::kQuantized; }

// In a payload the update is a tensor of one value, whose name says of how many: both ends derive it.
TensorSpec UpdateTensorSpec(uint64_t values);
// That number, if `tensor` is one.
std::optional<uint64_t> UpdateTensorValues(const TensorSpec& tensor);

// A string of at most this is lawful, which is FP32 and some: a bound for readers that comes from the model alone.
inline uint64_t MaxUpdateStringSize(uint64_t values) { return 4 * values + kBlockValues; }
// Pieces of a string: at least one.
inline uint64_t UpdatePieces(uint64_t bytes) {
  return bytes <= kUpdatePieceSize ? 1 : (bytes + kUpdatePieceSize - 1) / kUpdatePieceSize;
}

// Appends the frame of a piece to `frame`. 0 < values <= kMaxUpdateFrameValues.
void AppendUpdateFrame(CodecId codec, uint64_t values, absl::string_view piece, std::string* frame);

struct UpdatePiece {
  CodecId codec = CodecId::kRdu;
  absl::string_view bytes;  // points into the frame
};
// INVALID_ARGUMENT for a frame of another codec or of an update of another number of values; errors of ReadFrame.
absl::StatusOr<UpdatePiece> ReadUpdateFrame(absl::string_view frame, uint64_t values);

// What a string's first bytes say of it, for people: "rdu best", "quantized: top-k uniform R=4". Never fails.
std::string DescribeUpdate(const UpdatePiece& first);
// The step of an update of codec 6; 1 if there is none.
float UpdateStep(const UpdatePiece& first);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_UPDATE_FRAME_H_
