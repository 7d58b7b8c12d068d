#include "common/codec/sparse_codec.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"
#include "common/codec/float_codec.h"
#include "common/codec/frame.h"
#include "common/codec/position_code.h"

namespace thinwire {
namespace {

constexpr char kEntriesName[] = "thinwire.entries/";
constexpr size_t kValueCodecOffset = 1;
constexpr size_t kReservedOffset = 2;
constexpr size_t kPositionBytesOffset = 4;
constexpr size_t kFirstOffset = 8;

absl::Status CheckEntries(absl::Span<const uint64_t> positions, absl::Span<const float> values) {
  if (positions.empty() || positions.size() != values.size() || positions.size() > kMaxFrameValues) {
    return absl::InvalidArgumentError(absl::StrCat("a sparse frame of ", positions.size(), " positions and ",
                                                   values.size(), " values; they must be as many, 1 to ",
                                                   kMaxFrameValues));
  }
  if (std::adjacent_find(positions.begin(), positions.end(), std::greater_equal<uint64_t>()) != positions.end() ||
      positions.back() >= ModelSpec::kMaxValues) {
    return absl::InvalidArgumentError(
        absl::StrCat("positions of a sparse frame must ascend and be below ", ModelSpec::kMaxValues));
  }
  return absl::OkStatus();
}

absl::Status ReadValueHeader(CodecId values, uint32_t count, SparseHeader* header) {
  if (values == CodecId::kFp32) {
    header->codec = CodecSpec::Sparse(CodecSpec::Fp32());
    return CheckFp32Body(header->value_body, count);
  }
  if (values != CodecId::kFloat) {
    return absl::InvalidArgumentError(
        absl::StrCat("values of a sparse frame are of codec ", static_cast<int>(values), ", must be 1 or 2"));
  }
  TW_ASSIGN_OR_RETURN(const FloatBodyHeader floats, ReadFloatBodyHeader(header->value_body, count));
  header->codec = CodecSpec::Sparse(floats.codec);
  header->scale = floats.scale;
  if (header->codec.SparseValues().id == CodecId::kFloat) return absl::OkStatus();
  return absl::InvalidArgumentError("values of a sparse frame are S1E8M23 without scale; they must be FP32");
}

}  // namespace

absl::Status EncodeSparseFrame(const CodecSpec& codec, absl::Span<const uint64_t> positions,
                               absl::Span<const float> values, float scale, std::string* frame) {
  TW_RETURN_IF_ERROR(CheckEntries(positions, values));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> coder, MakeCodec(codec.SparseValues()));
  std::string coded;
  TW_RETURN_IF_ERROR(coder->Encode(values, scale, &coded));
  const absl::string_view value_body = absl::string_view(coded).substr(kFrameHeaderSize);
  const PositionCode code = ChoosePositionCode(positions);
  const std::string bits = WritePositions(positions, code.parameter);
  FrameWriter writer(CodecId::kSparse, static_cast<uint32_t>(positions.size()),
                     kSparseHeaderSize + bits.size() + value_body.size(), frame);
  uint8_t* const body = writer.body();
  body[0] = static_cast<uint8_t>(code.parameter);
  body[kValueCodecOffset] = static_cast<uint8_t>(coder->spec().id);
  StoreLittle<uint16_t>(0, body + kReservedOffset);
  StoreLittle<uint32_t>(static_cast<uint32_t>(bits.size()), body + kPositionBytesOffset);
  StoreLittle<uint64_t>(positions[0], body + kFirstOffset);
  std::copy(bits.begin(), bits.end(), body + kSparseHeaderSize);
  std::copy(value_body.begin(), value_body.end(), body + kSparseHeaderSize + bits.size());
  writer.Finish();
  return absl::OkStatus();
}

absl::StatusOr<SparseHeader> ReadSparseHeader(absl::string_view body, uint32_t count) {
  if (count == 0 || body.size() < kSparseHeaderSize) {
    return absl::InvalidArgumentError(absl::StrCat("a sparse frame has at least one entry and ", kSparseHeaderSize,
                                                   " bytes, this one ", count, " and ", body.size()));
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
  SparseHeader header;
  header.parameter = bytes[0];
  header.first = LoadLittle<uint64_t>(bytes + kFirstOffset);
  const uint16_t reserved = LoadLittle<uint16_t>(bytes + kReservedOffset);
  if (header.parameter > PositionCode::kMaxParameter || reserved != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a sparse frame has the parameter ", header.parameter, " (0 to ",
                                                   PositionCode::kMaxParameter, ") and the reserved bytes ", reserved,
                                                   " (0)"));
  }
  const uint32_t position_bytes = LoadLittle<uint32_t>(bytes + kPositionBytesOffset);
  if (position_bytes > body.size() - kSparseHeaderSize) {
    return absl::InvalidArgumentError(absl::StrCat("a sparse frame declares ", position_bytes,
                                                   " bytes of positions, but has ", body.size() - kSparseHeaderSize));
  }
  header.position_bits = body.substr(kSparseHeaderSize, position_bytes);
  header.value_body = body.substr(kSparseHeaderSize + position_bytes);
  TW_RETURN_IF_ERROR(ReadValueHeader(static_cast<CodecId>(bytes[kValueCodecOffset]), count, &header));
  return header;
}

absl::Status DecodeSparseFrame(absl::string_view frame, uint64_t dimension, absl::Span<uint64_t> positions,
                               absl::Span<float> values) {
  TW_ASSIGN_OR_RETURN(const Frame parsed, ReadFrame(frame));
  if (parsed.codec != CodecId::kSparse || parsed.count != positions.size() || parsed.count != values.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the frame holds ", parsed.count, " values of codec ",
                                                   static_cast<int>(parsed.codec), ", ", positions.size(),
                                                   " positions with values are expected"));
  }
  TW_ASSIGN_OR_RETURN(const SparseHeader header, ReadSparseHeader(parsed.body, parsed.count));
  positions[0] = header.first;
  TW_RETURN_IF_ERROR(ReadPositions(header.position_bits, header.parameter, dimension, positions));
  return header.codec.SparseValues().id == CodecId::kFp32 ? DecodeFp32Body(header.value_body, values)
                                                          : DecodeFloatBody(header.value_body, values);
}

uint64_t MaxSparseFrameSize(const CodecSpec& codec, uint32_t count, uint64_t dimension) {
  const CodecSpec values = codec.SparseValues();
  const uint64_t value_body =
      values.id == CodecId::kFp32 ? uint64_t{4} * count : FloatCodec(values).MaxFrameSize(count) - kFrameHeaderSize;
  return kFrameHeaderSize + kSparseHeaderSize + (MaxPositionBits(count, dimension) + 7) / 8 + value_body;
}

TensorSpec EntriesTensor(uint64_t count, uint64_t dimension) {
  return {
      absl::StrCat(kEntriesName, dimension), {static_cast<int64_t>(count)}, DataType::kFloat32, TensorRole::kTrainable};
}

std::optional<uint64_t> EntriesDimension(const TensorSpec& tensor) {
  absl::string_view name = tensor.name;
  uint64_t dimension = 0;
  const bool entries = tensor.role == TensorRole::kTrainable && absl::ConsumePrefix(&name, kEntriesName) &&
                       absl::SimpleAtoi(name, &dimension) && dimension <= ModelSpec::kMaxValues;
  return entries ? std::optional<uint64_t>(dimension) : std::nullopt;
}

}  // namespace thinwire
