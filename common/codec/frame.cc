#include "common/codec/frame.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace thinwire {
namespace {

constexpr size_t kVersionOffset = 0;
constexpr size_t kCodecOffset = 1;
constexpr size_t kFlagsOffset = 2;
constexpr size_t kCountOffset = 4;
constexpr size_t kBodySizeOffset = 8;
constexpr size_t kChecksumOffset = 12;

uint32_t Checksum(absl::string_view frame) {
  return Crc32c(frame.substr(kFrameHeaderSize), Crc32c(frame.substr(0, kChecksumOffset)));
}

absl::Status CheckSize(absl::string_view bytes) {
  if (bytes.size() < kFrameHeaderSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame has at least ", kFrameHeaderSize, " bytes, got ", bytes.size()));
  }
  const uint8_t version = static_cast<uint8_t>(bytes[kVersionOffset]);
  if (version != kFrameVersion) {
    return absl::UnimplementedError(
        absl::StrCat("frame version ", version, ", this program reads version ", kFrameVersion, "; update it"));
  }
  const uint32_t body_size = LoadLittle<uint32_t>(bytes.data() + kBodySizeOffset);
  if (body_size != bytes.size() - kFrameHeaderSize) {
    return absl::InvalidArgumentError(absl::StrCat("the frame declares a body of ", body_size, " bytes, but ",
                                                   bytes.size() - kFrameHeaderSize, " follow its header"));
  }
  return absl::OkStatus();
}

absl::Status CheckKnown(uint8_t codec, uint16_t flags) {
  if (codec < static_cast<uint8_t>(CodecId::kFp32) || codec > static_cast<uint8_t>(kLastCodecId)) {
    return absl::UnimplementedError(absl::StrCat("frame with codec ", codec, ", this program knows codecs 1 to ",
                                                 static_cast<int>(kLastCodecId), "; update it"));
  }
  if (flags != 0) return absl::InvalidArgumentError(absl::StrCat("frame flags are ", flags, ", must be 0"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Frame> ReadFrame(absl::string_view bytes) {
  const absl::Status size = CheckSize(bytes);
  if (!size.ok()) return size;
  const uint32_t declared = LoadLittle<uint32_t>(bytes.data() + kChecksumOffset);
  const uint32_t actual = Checksum(bytes);
  if (declared != actual) {
    return absl::DataLossError(absl::StrCat("frame checksum is ", absl::Hex(actual, absl::kZeroPad8),
                                            ", its header says ", absl::Hex(declared, absl::kZeroPad8),
                                            "; the frame is damaged"));
  }
  const uint8_t codec = static_cast<uint8_t>(bytes[kCodecOffset]);
  const absl::Status known = CheckKnown(codec, LoadLittle<uint16_t>(bytes.data() + kFlagsOffset));
  if (!known.ok()) return known;
  return Frame{static_cast<CodecId>(codec), LoadLittle<uint32_t>(bytes.data() + kCountOffset),
               bytes.substr(kFrameHeaderSize)};
}

FrameWriter::FrameWriter(CodecId codec, uint32_t count, size_t body_size, std::string* frame)
    : codec_(codec), count_(count), body_size_(body_size), frame_(frame), offset_(frame->size()) {
  frame_->resize(offset_ + kFrameHeaderSize + body_size);
}

void FrameWriter::Finish() {
  uint8_t* header = start();
  header[kVersionOffset] = kFrameVersion;
  header[kCodecOffset] = static_cast<uint8_t>(codec_);
  StoreLittle<uint16_t>(0, header + kFlagsOffset);
  StoreLittle<uint32_t>(count_, header + kCountOffset);
  StoreLittle<uint32_t>(static_cast<uint32_t>(body_size_), header + kBodySizeOffset);
  const absl::string_view whole(reinterpret_cast<const char*>(header), kFrameHeaderSize + body_size_);
  StoreLittle<uint32_t>(Checksum(whole), header + kChecksumOffset);
}

}  // namespace thinwire
