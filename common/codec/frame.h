// The payload frame around every coded block, little-endian (docs/wire_format.md is normative):
//   version u8 = 1 | codec u8 | flags u16 = 0 | count u32 | body_size u32 | crc32c u32 | body
// The checksum covers the 12 bytes before it and the body.
#ifndef THINWIRE_COMMON_CODEC_FRAME_H_
#define THINWIRE_COMMON_CODEC_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

constexpr uint8_t kFrameVersion = 1;
constexpr size_t kFrameHeaderSize = 16;

struct Frame {
  CodecId codec = CodecId::kFp32;
  uint32_t count = 0;      // values
  absl::string_view body;  // points into the bytes that were read
};

// Checks size, version, checksum, codec id and flags, in this order. INVALID_ARGUMENT if malformed, DATA_LOSS for a
// wrong checksum, UNIMPLEMENTED for an unknown version or codec.
absl::StatusOr<Frame> ReadFrame(absl::string_view bytes);

// Builds one frame at the end of a string: the constructor makes room, the caller fills body(), Finish() writes the
// header. Abandon() takes the room away again. The string must not change meanwhile.
class FrameWriter {
 public:
  // `body_size` must fit 32 bits.
  FrameWriter(CodecId codec, uint32_t count, size_t body_size, std::string* frame);
  uint8_t* body() { return start() + kFrameHeaderSize; }
  void Finish();
  void Abandon() { frame_->resize(offset_); }

 private:
  uint8_t* start() { return reinterpret_cast<uint8_t*>(&(*frame_)[offset_]); }

  const CodecId codec_;
  const uint32_t count_;
  const size_t body_size_;
  std::string* const frame_;
  const size_t offset_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FRAME_H_
