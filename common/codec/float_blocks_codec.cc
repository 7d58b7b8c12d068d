#include "common/codec/float_blocks_codec.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/frame.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/line_fit.h"
#include "common/codec/little_endian.h"
#include "common/codec/row_block_codes.h"

namespace thinwire {
namespace {

using Part = FloatBlocksLayout::Part;

constexpr size_t kLineSize = 8;
constexpr uint8_t kCorrectionFlag = 1;

absl::Status NotFinite() {
  return absl::InvalidArgumentError("a value is NaN or infinite; only finite numbers are coded");
}

absl::Status CheckCount(uint64_t count) {
  if (count <= kBlockValues) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a frame of float blocks holds at most ", kBlockValues, " values, got ", count));
}

absl::Status CheckMask(uint16_t exact_blocks, uint32_t count) {
  if (exact_blocks >> RowBlockCount(count) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("exact row blocks are 0x", absl::Hex(exact_blocks), ", but there are ",
                                                 RowBlockCount(count), " row blocks"));
}

Line LoadLine(const uint8_t* at) {
  return {FloatFromBits(LoadLittle<uint32_t>(at)), FloatFromBits(LoadLittle<uint32_t>(at + 4))};
}

void StoreLine(const Line& line, uint8_t* at) {
  StoreLittle<uint32_t>(FloatBits(line.slope), at);
  StoreLittle<uint32_t>(FloatBits(line.offset), at + 4);
}

RowBlockFormat FormatOf(const CodecSpec& spec) {
  return {spec.format, spec.scale, size_t{1} << spec.blocks.scale_group_log2};
}

// The scales of a coded part, as they stand in `body`.
GroupScales LoadScales(const RowBlockFormat& format, const Part& part, const uint8_t* body) {
  GroupScales scales;
  const size_t size = ScaleSize(format.scale);
  for (size_t i = 0; i < format.GroupsOf(part.count); ++i) {
    scales[i] = LoadScale(format.scale, body + part.scales + i * size);
  }
  return scales;
}

// Everything of one frame, between its values and its body.
class BodyEncoder {
 public:
  BodyEncoder(const CodecSpec& spec, absl::Span<const float> values, uint8_t* body)
      : spec_(spec), format_(FormatOf(spec)), values_(values), body_(body) {}

  void WriteHeader(uint16_t exact_blocks) {
    body_[0] = static_cast<uint8_t>(spec_.format.exponent_bits);
    body_[1] = static_cast<uint8_t>(spec_.format.mantissa_bits);
    body_[2] = static_cast<uint8_t>(spec_.scale);
    body_[3] = spec_.blocks.correction ? kCorrectionFlag : 0;
    body_[4] = static_cast<uint8_t>(spec_.blocks.scale_group_log2);
    body_[5] = 0;
    StoreLittle<uint16_t>(exact_blocks, body_ + 6);
  }

  void WritePart(const Part& part) {
    const absl::Span<const float> values = values_.subspan(part.first, part.count);
    if (part.exact) return StoreAllLittle<uint32_t>(values.data(), values.size(), body_ + part.data);
    const GroupScales scales = ChooseGroupScales(format_, values);
    const size_t size = ScaleSize(spec_.scale);
    for (size_t i = 0; i < format_.GroupsOf(part.count); ++i) {
      StoreScale(spec_.scale, scales[i], body_ + part.scales + i * size);
    }
    EncodeRowBlock(format_, scales, values, spec_.blocks.truncate ? TruncatingDither() : nullptr, body_ + part.data);
    if (spec_.blocks.correction) StoreLine(Fit(part, scales, values), body_ + part.line);
  }

 private:
  Line Fit(const Part& part, const GroupScales& scales, absl::Span<const float> values) const {
    std::array<float, kRowBlockValues> buffer;
    const absl::Span<float> decoded(buffer.data(), values.size());
    (void)DecodeRowBlock(format_, scales, body_ + part.data, decoded);
    const Line line = FitLine(decoded, values);
    ApplyLine(line, decoded);
    // The largest values may be pushed over the edge: they stay without.
    return MaxMagnitudeBits(decoded.data(), decoded.size()) < kFloatInfinityBits ? line : Line{};
  }

  const CodecSpec& spec_;
  const RowBlockFormat format_;
  const absl::Span<const float> values_;
  uint8_t* const body_;
};

// What stands at the front of a body, its parameters checked but nothing behind them.
absl::StatusOr<FloatBlocksHeader> ReadParameters(const uint8_t* body, uint32_t count) {
  FloatBlocksHeader header;
  BlockOptions blocks;
  blocks.correction = (body[3] & kCorrectionFlag) != 0;
  blocks.scale_group_log2 = body[4];
  header.codec = CodecSpec::FloatBlocks(body[0], body[1], static_cast<ScaleRule>(body[2]), blocks);
  header.exact_blocks = LoadLittle<uint16_t>(body + 6);
  TW_RETURN_IF_ERROR(header.codec.Validate());
  if ((body[3] & ~kCorrectionFlag) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("flags of float blocks are ", body[3], ", must be 0 or 1"));
  }
  if (body[5] != 0) return absl::InvalidArgumentError(absl::StrCat("reserved byte is ", body[5], ", must be 0"));
  TW_RETURN_IF_ERROR(CheckMask(header.exact_blocks, count));
  return header;
}

// Scales, corrections and unused bits of one coded row block.
absl::Status CheckPart(const CodecSpec& codec, const Part& part, const uint8_t* body) {
  const RowBlockFormat format = FormatOf(codec);
  const GroupScales scales = LoadScales(format, part, body);
  for (size_t i = 0; i < format.GroupsOf(part.count); ++i) {
    TW_RETURN_IF_ERROR(CheckFloatScale(codec.format, codec.scale, scales[i]));
  }
  const size_t bits = size_t{part.count} * static_cast<size_t>(codec.format.width());
  if (bits % 8 != 0 && body[part.data + bits / 8] >> bits % 8 != 0) {
    return absl::InvalidArgumentError("unused bits after the last code of a row block are not zero");
  }
  if (codec.blocks.correction && !IsLawful(LoadLine(body + part.line))) {
    const Line line = LoadLine(body + part.line);
    return absl::InvalidArgumentError(absl::StrCat("correction is ", line.slope, " and ", line.offset,
                                                   ", must be a positive normal slope and a finite offset"));
  }
  return absl::OkStatus();
}

bool DecodePart(const CodecSpec& codec, const Part& part, const uint8_t* body, absl::Span<float> out) {
  const absl::Span<float> values = out.subspan(part.first, part.count);
  bool numbers = true;
  if (part.exact) {
    LoadAllLittle<uint32_t>(body + part.data, values.size(), values.data());
  } else {
    const RowBlockFormat format = FormatOf(codec);
    numbers = DecodeRowBlock(format, LoadScales(format, part, body), body + part.data, values);
    if (codec.blocks.correction) ApplyLine(LoadLine(body + part.line), values);
  }
  const bool may_overflow = part.exact || codec.blocks.correction;
  return numbers && (!may_overflow || MaxMagnitudeBits(values.data(), values.size()) < kFloatInfinityBits);
}

}  // namespace

FloatBlocksLayout LayOutFloatBlocks(const CodecSpec& spec, uint32_t count, uint16_t exact_blocks) {
  FloatBlocksLayout layout;
  const size_t scale_size = ScaleSize(spec.scale);
  size_t at = kFloatBlocksHeaderSize;
  for (uint32_t i = 0; i < RowBlockCount(count); ++i) {
    Part part{i * kRowBlockValues, RowBlockSize(count, i), (exact_blocks >> i & 1) != 0};
    part.scales = at;
    if (!part.exact) at += FormatOf(spec).GroupsOf(part.count) * scale_size;
    layout.parts.push_back(part);
  }
  for (Part& part : layout.parts) {
    part.line = at;
    if (!part.exact && spec.blocks.correction) at += kLineSize;
  }
  for (Part& part : layout.parts) {
    part.data = at;
    at += part.exact ? size_t{4} * part.count : PackedSize(part.count, spec.format.width());
  }
  layout.body_size = at;
  return layout;
}

size_t FloatBlocksCodec::MaxFrameSize(uint32_t count) const {
  size_t size = kFrameHeaderSize + kFloatBlocksHeaderSize;
  for (uint32_t i = 0; i < RowBlockCount(count); ++i) {
    const uint32_t part = RowBlockSize(count, i);
    size += std::max(LayOutFloatBlocks(spec_, part, 0).body_size, LayOutFloatBlocks(spec_, part, 1).body_size) -
            kFloatBlocksHeaderSize;
  }
  return size;
}

absl::StatusOr<float> FloatBlocksCodec::ChooseScale(const TensorScan& scan) const {
  if (!scan.finite) return NotFinite();
  return 1.0f;
}

absl::Status FloatBlocksCodec::Encode(absl::Span<const float> values, float scale, std::string* frame) const {
  return EncodePartly(values, scale, 0, frame);
}

absl::Status FloatBlocksCodec::EncodePartly(absl::Span<const float> values, float scale, uint16_t exact_blocks,
                                            std::string* frame) const {
  TW_RETURN_IF_ERROR(CheckCount(values.size()));
  const uint32_t count = static_cast<uint32_t>(values.size());
  TW_RETURN_IF_ERROR(CheckMask(exact_blocks, count));
  if (scale != 1) return absl::InvalidArgumentError(absl::StrCat("scale is ", scale, ", must be 1 for float blocks"));
  if (MaxMagnitudeBits(values.data(), values.size()) >= kFloatInfinityBits) return NotFinite();
  const FloatBlocksLayout layout = LayOutFloatBlocks(spec_, count, exact_blocks);
  FrameWriter writer(CodecId::kFloatBlocks, count, layout.body_size, frame);
  BodyEncoder encoder(spec_, values, writer.body());
  encoder.WriteHeader(exact_blocks);
  for (const Part& part : layout.parts) encoder.WritePart(part);
  writer.Finish();
  return absl::OkStatus();
}

absl::StatusOr<FloatBlocksHeader> ReadFloatBlocksHeader(absl::string_view body, uint32_t count) {
  TW_RETURN_IF_ERROR(CheckCount(count));
  if (body.size() < kFloatBlocksHeaderSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a body of float blocks has at least ", kFloatBlocksHeaderSize, " bytes, got ", body.size()));
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
  TW_ASSIGN_OR_RETURN(FloatBlocksHeader header, ReadParameters(bytes, count));
  const FloatBlocksLayout layout = LayOutFloatBlocks(header.codec, count, header.exact_blocks);
  if (body.size() != layout.body_size) {
    return absl::InvalidArgumentError(absl::StrCat("the body of a frame of ", count, " values has ", body.size(),
                                                   " bytes, must have ", layout.body_size));
  }
  bool first = true;
  for (const Part& part : layout.parts) {
    if (part.exact) continue;
    TW_RETURN_IF_ERROR(CheckPart(header.codec, part, bytes));
    if (first) header.first_scale = LoadScale(header.codec.scale, bytes + part.scales);
    first = false;
  }
  return header;
}

Line LoadCorrection(absl::string_view body, const FloatBlocksLayout::Part& part) {
  return LoadLine(reinterpret_cast<const uint8_t*>(body.data()) + part.line);
}

absl::Status DecodeFloatBlocksBody(absl::string_view body, absl::Span<float> out) {
  TW_ASSIGN_OR_RETURN(const FloatBlocksHeader header, ReadFloatBlocksHeader(body, static_cast<uint32_t>(out.size())));
  const FloatBlocksLayout layout =
      LayOutFloatBlocks(header.codec, static_cast<uint32_t>(out.size()), header.exact_blocks);
  bool finite = true;
  for (const Part& part : layout.parts) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
    finite = DecodePart(header.codec, part, bytes, out) && finite;
  }
  if (finite) return absl::OkStatus();
  return absl::InvalidArgumentError("a value or code stands for NaN or infinity; only finite numbers are coded");
}

}  // namespace thinwire
