#include "common/codec/codec.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/float_codec.h"
#include "common/codec/float_format.h"
#include "common/codec/frame.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/little_endian.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

absl::Status CheckExpectedCount(const Frame& frame, size_t expected) {
  if (frame.count == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the frame holds ", frame.count, " values, ", expected, " are expected"));
}

absl::Status CheckIntBody(const Frame& frame) {
  if (frame.body.size() == uint64_t{8} * frame.count) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the body of a frame of ", frame.count, " integers has ",
                                                 frame.body.size(), " bytes, must have ", uint64_t{8} * frame.count));
}

}  // namespace

void TensorScan::Add(absl::Span<const float> values) {
  const uint32_t bits = MaxMagnitudeBits(values.data(), values.size());
  finite = finite && bits < kFloatInfinityBits;
  absmax = std::max(absmax, bits < kFloatInfinityBits ? FloatFromBits(bits) : 0.0f);
}

absl::Status Codec::EncodePartly(absl::Span<const float> values, float scale, uint16_t exact_blocks,
                                 std::string* frame) const {
  if (exact_blocks == 0) return Encode(values, scale, frame);
  return absl::InvalidArgumentError(absl::StrCat(spec().Name(), " leaves no row blocks exact; use float blocks"));
}

absl::StatusOr<std::unique_ptr<Codec>> MakeCodec(const CodecSpec& spec) {
  switch (spec.id) {
    case CodecId::kFp32:
      return std::make_unique<Fp32Codec>();
    case CodecId::kFloat:
      TW_RETURN_IF_ERROR(spec.Validate());
      return std::make_unique<FloatCodec>(spec);
    case CodecId::kFloatBlocks:
      TW_RETURN_IF_ERROR(spec.Validate());
      return std::make_unique<FloatBlocksCodec>(spec);
    case CodecId::kInt64:
      return absl::InvalidArgumentError("the int64 codec does not take float values; use fp32 or a float format");
    case CodecId::kSparse:
      return absl::InvalidArgumentError("the sparse codec takes positions with its values; use EncodeSparseFrame");
    case CodecId::kRdu:
    case CodecId::kQuantized:
      return absl::InvalidArgumentError(
          absl::StrCat("the codec ", spec.Name(), " takes a whole update, and blocks of tensors are no update"));
  }
  return absl::UnimplementedError(absl::StrCat("codec ", static_cast<int>(spec.id), ", this program knows codecs 1 to ",
                                               static_cast<int>(kLastCodecId), "; update it"));
}

absl::Status DecodeFrame(absl::string_view frame, absl::Span<float> out) {
  TW_ASSIGN_OR_RETURN(const Frame parsed, ReadFrame(frame));
  TW_RETURN_IF_ERROR(CheckExpectedCount(parsed, out.size()));
  if (parsed.codec == CodecId::kInt64) {
    return absl::InvalidArgumentError("the frame holds integers, floats are expected");
  }
  if (parsed.codec == CodecId::kSparse) {
    return absl::InvalidArgumentError("the frame holds positions with its values, values alone are expected");
  }
  if (IsUpdateCodec(parsed.codec)) {
    return absl::InvalidArgumentError("the frame holds a whole update, values of one tensor are expected");
  }
  if (parsed.codec == CodecId::kFloatBlocks) return DecodeFloatBlocksBody(parsed.body, out);
  return parsed.codec == CodecId::kFp32 ? DecodeFp32Body(parsed.body, out) : DecodeFloatBody(parsed.body, out);
}

void EncodeIntFrame(absl::Span<const int64_t> values, std::string* frame) {
  FrameWriter writer(CodecId::kInt64, static_cast<uint32_t>(values.size()), 8 * values.size(), frame);
  StoreAllLittle<uint64_t>(values.data(), values.size(), writer.body());
  writer.Finish();
}

absl::Status DecodeIntFrame(absl::string_view frame, absl::Span<int64_t> out) {
  TW_ASSIGN_OR_RETURN(const Frame parsed, ReadFrame(frame));
  TW_RETURN_IF_ERROR(CheckExpectedCount(parsed, out.size()));
  if (parsed.codec != CodecId::kInt64) {
    return absl::InvalidArgumentError("the frame holds floats, integers are expected");
  }
  TW_RETURN_IF_ERROR(CheckIntBody(parsed));
  LoadAllLittle<uint64_t>(parsed.body.data(), out.size(), out.data());
  return absl::OkStatus();
}

absl::StatusOr<FrameInfo> ReadFrameInfo(absl::string_view frame) {
  TW_ASSIGN_OR_RETURN(const Frame parsed, ReadFrame(frame));
  FrameInfo info;
  info.codec.id = parsed.codec;
  info.count = parsed.count;
  info.body_size = static_cast<uint32_t>(parsed.body.size());
  switch (parsed.codec) {
    case CodecId::kFp32:
      TW_RETURN_IF_ERROR(CheckFp32Body(parsed.body, parsed.count));
      break;
    case CodecId::kInt64:
      TW_RETURN_IF_ERROR(CheckIntBody(parsed));
      break;
    case CodecId::kFloat: {
      TW_ASSIGN_OR_RETURN(const FloatBodyHeader header, ReadFloatBodyHeader(parsed.body, parsed.count));
      info.codec = header.codec;
      info.scale = header.scale;
      break;
    }
    case CodecId::kFloatBlocks: {
      TW_ASSIGN_OR_RETURN(const FloatBlocksHeader header, ReadFloatBlocksHeader(parsed.body, parsed.count));
      info.codec = header.codec;
      info.scale = header.first_scale;
      info.exact_blocks = header.exact_blocks;
      break;
    }
    case CodecId::kSparse: {
      TW_ASSIGN_OR_RETURN(const SparseHeader header, ReadSparseHeader(parsed.body, parsed.count));
      info.codec = header.codec;
      info.scale = header.scale;
      break;
    }
    case CodecId::kRdu:
    case CodecId::kQuantized:
      if (parsed.count == 0) return absl::InvalidArgumentError("the frame holds an update of no values");
      info.scale = UpdateStep({parsed.codec, parsed.body});
      break;
  }
  return info;
}

}  // namespace thinwire
