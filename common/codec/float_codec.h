// The two codecs of float values: FP32 as it is, and small floats S1ExMy packed bit by bit.
//
// FP32 body:  count values, IEEE binary32, little-endian.
// Float body: exponent_bits u8 | mantissa_bits u8 | scale_rule u8 | reserved u8 = 0 | scale f32 | packed codes, least
//             significant bit first. A code stands for scale times its number.
#ifndef THINWIRE_COMMON_CODEC_FLOAT_CODEC_H_
#define THINWIRE_COMMON_CODEC_FLOAT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

constexpr size_t kFloatBodyHeaderSize = 8;

class Fp32Codec : public Codec {
 public:
  const CodecSpec& spec() const override { return spec_; }
  size_t MaxFrameSize(uint32_t count) const override;
  bool needs_scan() const override { return false; }
  absl::StatusOr<float> ChooseScale(const TensorScan& scan) const override;
  absl::Status Encode(absl::Span<const float> values, float scale, std::string* frame) const override;

 private:
  const CodecSpec spec_ = CodecSpec::Fp32();
};

class FloatCodec : public Codec {
 public:
  // `spec` has passed Validate() and is of codec kFloat.
  explicit FloatCodec(const CodecSpec& spec) : spec_(spec) {}
  const CodecSpec& spec() const override { return spec_; }
  size_t MaxFrameSize(uint32_t count) const override;
  bool needs_scan() const override { return spec_.scale != ScaleRule::kNone; }
  absl::StatusOr<float> ChooseScale(const TensorScan& scan) const override;
  absl::Status Encode(absl::Span<const float> values, float scale, std::string* frame) const override;

 private:
  const CodecSpec spec_;
};

// What stands before the codes of a float body.
struct FloatBodyHeader {
  CodecSpec codec;
  float scale = 1;
};
// INVALID_ARGUMENT unless format and scale are lawful and the body has exactly the bytes of `count` codes, unused bits
// 0.
absl::StatusOr<FloatBodyHeader> ReadFloatBodyHeader(absl::string_view body, uint32_t count);
// INVALID_ARGUMENT unless the body has exactly the bytes of `count` values.
absl::Status CheckFp32Body(absl::string_view body, uint32_t count);

// Decode a whole body into out, whose size is the frame's count. Same errors; also INVALID_ARGUMENT for a value or code
// that is no finite number, with part of `out` written.
absl::Status DecodeFloatBody(absl::string_view body, absl::Span<float> out);
absl::Status DecodeFp32Body(absl::string_view body, absl::Span<float> out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FLOAT_CODEC_H_
