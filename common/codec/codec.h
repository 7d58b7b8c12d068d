// The codec interface: values of one block in, one self-describing frame out, and back.
#ifndef THINWIRE_COMMON_CODEC_CODEC_H_
#define THINWIRE_COMMON_CODEC_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

// A frame holds at most this many values, so that its size fits 32 bits whatever the codec. Payloads cut tensors into
// blocks of kBlockValues, far below.
constexpr uint32_t kMaxFrameValues = 1u << 28;

// What a codec must know of a whole tensor before it codes its first block; gathered block by block.
struct TensorScan {
  float absmax = 0;
  bool finite = true;
  // A fixed reduction: the result does not depend on how the tensor is cut into pieces.
  void Add(absl::Span<const float> values);
};

// Codes blocks of float values. Immutable and thread-safe; the same values give the same bytes on every machine and
// instruction set.
class Codec {
 public:
  virtual ~Codec() = default;

  virtual const CodecSpec& spec() const = 0;
  // Bytes of a whole frame (header included) of `count` values, exactly if the codec has a fixed rate, else at most.
  virtual size_t MaxFrameSize(uint32_t count) const = 0;
  // Whether ChooseScale looks at the tensor; if not, it may be given an empty scan.
  virtual bool needs_scan() const = 0;
  // The scale for a tensor: INVALID_ARGUMENT if it holds NaN or infinity, or cannot be scaled into range.
  virtual absl::StatusOr<float> ChooseScale(const TensorScan& scan) const = 0;
  // Appends the frame of `values` to `frame`. `scale` comes from ChooseScale over the whole tensor. INVALID_ARGUMENT
  // for NaN, infinity, a scale that ChooseScale cannot have chosen, or more than kMaxFrameValues values; `frame` is
  // then as it was.
  virtual absl::Status Encode(absl::Span<const float> values, float scale, std::string* frame) const = 0;
  // The same, with the row blocks (row_blocks.h) of `exact_blocks` exact: bit i stands for values 4096 i and on.
  // INVALID_ARGUMENT for row blocks that are not there, and for any if the codec leaves none exact.
  virtual absl::Status EncodePartly(absl::Span<const float> values, float scale, uint16_t exact_blocks,
                                    std::string* frame) const;
};

// UNIMPLEMENTED for an unknown id, INVALID_ARGUMENT for parameters out of range or an integer codec.
absl::StatusOr<std::unique_ptr<Codec>> MakeCodec(const CodecSpec& spec);

// Decodes any float frame: frames describe themselves. `out.size()` values are expected. Nothing is written unless the
// header is right: INVALID_ARGUMENT for a malformed frame or a wrong count, DATA_LOSS for a wrong checksum,
// UNIMPLEMENTED for an unknown version or codec. The decoded values are finite.
absl::Status DecodeFrame(absl::string_view frame, absl::Span<float> out);

// Integer buffers. At most kMaxFrameValues values.
void EncodeIntFrame(absl::Span<const int64_t> values, std::string* frame);
absl::Status DecodeIntFrame(absl::string_view frame, absl::Span<int64_t> out);

// What a frame says of itself, for inspection. Same errors as DecodeFrame; the body is not decoded.
struct FrameInfo {
  CodecSpec codec;            // as far as a frame says: nothing of rounding, or of how the exact row blocks were chosen
  uint32_t count = 0;         // of an update: of the whole of it, in each of its frames
  float scale = 1;            // float blocks: of the first coded row block; rdu: its step
  uint16_t exact_blocks = 0;  // float blocks: bit i: row block i is FP32
  uint32_t body_size = 0;
};
absl::StatusOr<FrameInfo> ReadFrameInfo(absl::string_view frame);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_CODEC_H_
