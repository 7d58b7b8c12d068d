// Float blocks (codec 4): small floats in row blocks of 4,096 values, each either codes under scales of its own, with a
// least-squares correction if asked for, or FP32. docs/wire_format.md section 4.4 is normative.
//
// Body: exponent_bits u8 | mantissa_bits u8 | scale_rule u8 | flags u8 (bit 0: correction) | log2 of the values that
// share a scale u8 | reserved u8 = 0 | exact_blocks u16 | scales | corrections | row blocks.
#ifndef THINWIRE_COMMON_CODEC_FLOAT_BLOCKS_CODEC_H_
#define THINWIRE_COMMON_CODEC_FLOAT_BLOCKS_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec.h"
#include "common/codec/codec_spec.h"
#include "common/codec/line_fit.h"
#include "common/codec/row_blocks.h"

namespace thinwire {

constexpr size_t kFloatBlocksHeaderSize = 8;

// Where the parts of a body lie. Follows from the spec, the count and the mask alone; count is at most kBlockValues.
struct FloatBlocksLayout {
  struct Part {
    uint32_t first = 0;  // value
    uint32_t count = 0;
    bool exact = false;
    size_t scales = 0;  // offsets in the body: of its first scale,
    size_t line = 0;    // ... of its correction,
    size_t data = 0;    // ... and of its codes or values
  };
  std::vector<Part> parts;
  size_t body_size = 0;
};
FloatBlocksLayout LayOutFloatBlocks(const CodecSpec& spec, uint32_t count, uint16_t exact_blocks);

class FloatBlocksCodec : public Codec {
 public:
  // `spec` has passed Validate() and is of codec kFloatBlocks.
  explicit FloatBlocksCodec(const CodecSpec& spec) : spec_(spec) {}
  const CodecSpec& spec() const override { return spec_; }
  // The most that any choice of exact blocks makes.
  size_t MaxFrameSize(uint32_t count) const override;
  bool needs_scan() const override { return false; }
  // 1: the scales are chosen block by block.
  absl::StatusOr<float> ChooseScale(const TensorScan& scan) const override;
  absl::Status Encode(absl::Span<const float> values, float scale, std::string* frame) const override;
  absl::Status EncodePartly(absl::Span<const float> values, float scale, uint16_t exact_blocks,
                            std::string* frame) const override;

 private:
  const CodecSpec spec_;
};

struct FloatBlocksHeader {
  CodecSpec codec;  // as far as a frame says
  uint16_t exact_blocks = 0;
  float first_scale = 1;  // of the first coded row block
};
// INVALID_ARGUMENT unless format, scales and corrections are lawful, the mask names row blocks that are there, and the
// body has exactly the bytes of `count` values, unused bits 0.
absl::StatusOr<FloatBlocksHeader> ReadFloatBlocksHeader(absl::string_view body, uint32_t count);

// The correction of a coded part, if the body has any.
Line LoadCorrection(absl::string_view body, const FloatBlocksLayout::Part& part);

// As DecodeFloatBody (float_codec.h); also INVALID_ARGUMENT if a correction makes a value infinite.
absl::Status DecodeFloatBlocksBody(absl::string_view body, absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FLOAT_BLOCKS_CODEC_H_
