#include "common/codec/float_codec.h"

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/frame.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/little_endian.h"

namespace thinwire {
namespace {

absl::Status NotFinite() {
  return absl::InvalidArgumentError("a value is NaN or infinite; only finite numbers are coded");
}

absl::Status CheckCount(size_t count) {
  if (count <= kMaxFrameValues) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a frame holds at most ", kMaxFrameValues, " values, got ", count));
}

absl::Status CheckBodySize(size_t actual, size_t expected, uint32_t count) {
  if (actual == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the body of a frame of ", count, " values has ", actual, " bytes, must have ", expected));
}

// Unused bits of the last byte of `count` codes must be zero: one value has one encoding.
absl::Status CheckUnusedBits(absl::string_view packed, uint32_t count, int width) {
  const int used = static_cast<int>(static_cast<uint64_t>(count) * static_cast<uint64_t>(width) % 8);
  if (used == 0 || (static_cast<uint8_t>(packed.back()) >> used) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError("unused bits after the last code are not zero");
}

void WriteFloatBodyHeader(const CodecSpec& spec, float scale, uint8_t* body) {
  body[0] = static_cast<uint8_t>(spec.format.exponent_bits);
  body[1] = static_cast<uint8_t>(spec.format.mantissa_bits);
  body[2] = static_cast<uint8_t>(spec.scale);
  body[3] = 0;
  StoreLittle<uint32_t>(FloatBits(scale), body + 4);
}

}  // namespace

size_t Fp32Codec::MaxFrameSize(uint32_t count) const { return kFrameHeaderSize + size_t{4} * count; }

absl::StatusOr<float> Fp32Codec::ChooseScale(const TensorScan& scan) const {
  if (!scan.finite) return NotFinite();
  return 1.0f;
}

absl::Status Fp32Codec::Encode(absl::Span<const float> values, float scale, std::string* frame) const {
  TW_RETURN_IF_ERROR(CheckCount(values.size()));
  if (scale != 1) return absl::InvalidArgumentError(absl::StrCat("scale is ", scale, ", must be 1 for FP32"));
  if (MaxMagnitudeBits(values.data(), values.size()) >= kFloatInfinityBits) return NotFinite();
  FrameWriter writer(CodecId::kFp32, static_cast<uint32_t>(values.size()), 4 * values.size(), frame);
  StoreAllLittle<uint32_t>(values.data(), values.size(), writer.body());
  writer.Finish();
  return absl::OkStatus();
}

size_t FloatCodec::MaxFrameSize(uint32_t count) const {
  return kFrameHeaderSize + kFloatBodyHeaderSize + PackedSize(count, spec_.format.width());
}

absl::StatusOr<float> FloatCodec::ChooseScale(const TensorScan& scan) const {
  if (!scan.finite) return NotFinite();
  return ChooseFloatScale(spec_.format, spec_.scale, scan.absmax);
}

absl::Status FloatCodec::Encode(absl::Span<const float> values, float scale, std::string* frame) const {
  TW_RETURN_IF_ERROR(CheckCount(values.size()));
  TW_RETURN_IF_ERROR(CheckFloatScale(spec_.format, spec_.scale, scale));
  const uint32_t count = static_cast<uint32_t>(values.size());
  FrameWriter writer(CodecId::kFloat, count, MaxFrameSize(count) - kFrameHeaderSize, frame);
  WriteFloatBodyHeader(spec_, scale, writer.body());
  if (!EncodeFloats(values.data(), count, spec_.format, scale, writer.body() + kFloatBodyHeaderSize)) {
    writer.Abandon();
    return NotFinite();
  }
  writer.Finish();
  return absl::OkStatus();
}

absl::StatusOr<FloatBodyHeader> ReadFloatBodyHeader(absl::string_view body, uint32_t count) {
  if (body.size() < kFloatBodyHeaderSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a float body has at least ", kFloatBodyHeaderSize, " bytes, got ", body.size()));
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
  FloatBodyHeader header{CodecSpec::Float(bytes[0], bytes[1], static_cast<ScaleRule>(bytes[2])),
                         FloatFromBits(LoadLittle<uint32_t>(bytes + 4))};
  TW_RETURN_IF_ERROR(header.codec.Validate());
  if (bytes[3] != 0) return absl::InvalidArgumentError(absl::StrCat("reserved byte is ", bytes[3], ", must be 0"));
  TW_RETURN_IF_ERROR(CheckFloatScale(header.codec.format, header.codec.scale, header.scale));
  const int width = header.codec.format.width();
  TW_RETURN_IF_ERROR(CheckBodySize(body.size(), kFloatBodyHeaderSize + PackedSize(count, width), count));
  TW_RETURN_IF_ERROR(CheckUnusedBits(body, count, width));
  return header;
}

absl::Status CheckFp32Body(absl::string_view body, uint32_t count) {
  return CheckBodySize(body.size(), size_t{4} * count, count);
}

absl::Status DecodeFloatBody(absl::string_view body, absl::Span<float> out) {
  TW_ASSIGN_OR_RETURN(const FloatBodyHeader header, ReadFloatBodyHeader(body, static_cast<uint32_t>(out.size())));
  const auto* packed = reinterpret_cast<const uint8_t*>(body.data()) + kFloatBodyHeaderSize;
  if (DecodeFloats(packed, out.size(), header.codec.format, header.scale, out.data())) return absl::OkStatus();
  return absl::InvalidArgumentError("a code stands for NaN or infinity; only finite numbers are coded");
}

absl::Status DecodeFp32Body(absl::string_view body, absl::Span<float> out) {
  TW_RETURN_IF_ERROR(CheckFp32Body(body, static_cast<uint32_t>(out.size())));
  LoadAllLittle<uint32_t>(body.data(), out.size(), out.data());
  return MaxMagnitudeBits(out.data(), out.size()) < kFloatInfinityBits ? absl::OkStatus() : NotFinite();
}

}  // namespace thinwire
