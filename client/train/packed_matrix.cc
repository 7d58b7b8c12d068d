#include "client/train/packed_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/random_bits.h"
#include "common/base/status_macros.h"
#include "common/codec/float_codec.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/line_fit.h"
#include "common/codec/little_endian.h"

namespace thinwire {
namespace {

using BlockBuffer = std::array<float, PackedMatrix::kBlock>;

size_t GroupsOf(const PackedFormat& format) { return PackedMatrix::kBlock >> format.scale_group_log2; }

constexpr size_t kBlockHalves = PackedMatrix::kBlock / 8;  // Philox blocks that a block of values uses up

}  // namespace

absl::Status PackedFormat::Validate() const {
  TW_RETURN_IF_ERROR(CodecSpec::Float(format.exponent_bits, format.mantissa_bits, scale).Validate());
  if (scale_group_log2 < BlockOptions::kMinGroupLog2 || scale_group_log2 > BlockOptions::kMaxGroupLog2) {
    return absl::InvalidArgumentError(absl::StrCat("a scale is shared by 2^", scale_group_log2,
                                                   " values, must be by 2^", BlockOptions::kMinGroupLog2, " to 2^",
                                                   BlockOptions::kMaxGroupLog2));
  }
  return absl::OkStatus();
}

PackedMatrix::PackedMatrix(uint64_t count, const PackedFormat& format, std::vector<bool> exact)
    : count_(count), format_(format), exact_(std::move(exact)), starts_(BlocksOf(count) + 1) {
  if (format.format.width() == 32) exact_.assign(blocks(), true);
  for (size_t block = 0; block < blocks(); ++block) {
    const size_t size = block_size(block);
    starts_[block + 1] = starts_[block] + (IsExact(block) ? 4 * size : PackedSize(size, format_.format.width()));
  }
  bytes_.resize(starts_.back());
  scales_.resize(ScaleSize(format_.scale) * blocks() * GroupsOf(format_));
  GroupScales ones;
  ones.fill(1);
  for (size_t block = 0; block < blocks(); ++block) StoreScales(block, ones);
  if (format_.correction) transforms_.resize(blocks());
}

size_t PackedMatrix::block_size(size_t block) const {
  return static_cast<size_t>(std::min<uint64_t>(kBlock, count_ - uint64_t{block} * kBlock));
}

size_t PackedMatrix::memory() const {
  return bytes_.size() + starts_.size() * sizeof(uint64_t) + scales_.size() + transforms_.size() * sizeof(Line) +
         exact_.size() / 8;
}

void PackedMatrix::ExpandBlock(size_t block, absl::Span<float> out) const {
  if (IsExact(block)) {
    std::memcpy(out.data(), &bytes_[starts_[block]], out.size() * sizeof(float));
    return;
  }
  Decode(block, out);
  if (!transforms_.empty()) ApplyLine(transforms_[block], out);
}

void PackedMatrix::Expand(absl::Span<float> out) const {
  for (size_t block = 0; block < blocks(); ++block) ExpandBlock(block, out.subspan(block * kBlock, block_size(block)));
}

RowBlockFormat PackedMatrix::codes() const {
  return {format_.format, format_.scale, size_t{1} << format_.scale_group_log2};
}

// What the codes stand for, before the correction. Codes are our own, so all of them are numbers.
void PackedMatrix::Decode(size_t block, absl::Span<float> out) const {
  (void)DecodeRowBlock(codes(), LoadScales(block), &bytes_[starts_[block]], out);
}

GroupScales PackedMatrix::LoadScales(size_t block) const {
  GroupScales scales;
  const size_t size = ScaleSize(format_.scale), groups = GroupsOf(format_);
  const uint8_t* const at = scales_.data() + block * groups * size;
  for (size_t i = 0; i < groups; ++i) scales[i] = LoadScale(format_.scale, at + i * size);
  return scales;
}

void PackedMatrix::StoreScales(size_t block, const GroupScales& scales) {
  const size_t size = ScaleSize(format_.scale), groups = GroupsOf(format_);
  uint8_t* const at = scales_.data() + block * groups * size;
  for (size_t i = 0; i < groups; ++i) StoreScale(format_.scale, scales[i], at + i * size);
}

absl::Status PackedMatrix::PackBlock(size_t block, absl::Span<const float> values, uint64_t key) {
  return Take(block, values, format_.rounding, key);
}

absl::Status PackedMatrix::HoldBlock(size_t block, absl::Span<const float> values) {
  return Take(block, values, Rounding::kNearestEven, 0);
}

absl::Status PackedMatrix::Take(size_t block, absl::Span<const float> values, Rounding rounding, uint64_t key) {
  const uint32_t largest = MaxMagnitudeBits(values.data(), values.size());
  if (largest >= kFloatInfinityBits) {
    return absl::InvalidArgumentError(absl::StrCat("a weight of block ", block, " is NaN or infinite"));
  }
  if (IsExact(block)) {
    std::memcpy(&bytes_[starts_[block]], values.data(), values.size() * sizeof(float));
    return absl::OkStatus();
  }
  // Rounding again what was rounded before must not move it; with most rules it would not, but to compare is a rule for
  // all of them. As numbers: a step of zero turns -0 to 0, which is no reason to choose scales anew.
  BlockBuffer held;
  ExpandBlock(block, absl::MakeSpan(held.data(), values.size()));
  if (std::equal(values.begin(), values.end(), held.begin())) return absl::OkStatus();
  return Encode(block, values, rounding, key);
}

absl::Status PackedMatrix::Pack(absl::Span<const float> values, uint64_t key) {
  for (size_t block = 0; block < blocks(); ++block) {
    TW_RETURN_IF_ERROR(PackBlock(block, values.subspan(block * kBlock, block_size(block)), key));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PackedMatrix::HoldFrame(size_t first_block, absl::string_view bytes) {
  TW_ASSIGN_OR_RETURN(const Frame frame, ReadFrame(bytes));
  if (frame.codec != CodecId::kFloat && frame.codec != CodecId::kFloatBlocks) return false;
  const uint64_t first = uint64_t{first_block} * kBlock;
  if (first + frame.count > count_) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame of ", frame.count, " values from value ", first, " on, the matrix has ", count_));
  }
  return frame.codec == CodecId::kFloat ? HoldFloats(first_block, frame) : HoldFloatBlocks(first_block, frame);
}

// One scale for a whole tensor: every block has it as its own. Each block's codes begin with a byte.
absl::StatusOr<bool> PackedMatrix::HoldFloats(size_t first_block, const Frame& frame) {
  TW_ASSIGN_OR_RETURN(const FloatBodyHeader header, ReadFloatBodyHeader(frame.body, frame.count));
  CodecSpec blocks = header.codec;
  blocks.blocks.scale_group_log2 = format_.scale_group_log2;
  if (!HasFormOf(blocks, first_block, LayOutFloatBlocks(blocks, frame.count, 0))) return false;
  std::vector<float> values(frame.count);
  TW_RETURN_IF_ERROR(DecodeFloatBody(frame.body, absl::MakeSpan(values)));
  GroupScales scales;
  scales.fill(header.scale);
  const char* codes = frame.body.data() + kFloatBodyHeaderSize;
  for (size_t at = 0, block = first_block; at < frame.count; at += block_size(block), ++block) {
    const size_t size = PackedSize(block_size(block), format_.format.width());
    std::memcpy(&bytes_[starts_[block]], codes, size);
    StoreScales(block, scales);
    codes += size;
  }
  return true;
}

absl::StatusOr<bool> PackedMatrix::HoldFloatBlocks(size_t first_block, const Frame& frame) {
  TW_ASSIGN_OR_RETURN(const FloatBlocksHeader header, ReadFloatBlocksHeader(frame.body, frame.count));
  const FloatBlocksLayout layout = LayOutFloatBlocks(header.codec, frame.count, header.exact_blocks);
  if (!HasFormOf(header.codec, first_block, layout)) return false;
  // For what it refuses.
  std::vector<float> values(frame.count);
  TW_RETURN_IF_ERROR(DecodeFloatBlocksBody(frame.body, absl::MakeSpan(values)));
  for (size_t i = 0; i < layout.parts.size(); ++i) HoldPart(first_block + i, layout.parts[i], frame.body);
  return true;
}

bool PackedMatrix::HasFormOf(const CodecSpec& codec, size_t first_block, const FloatBlocksLayout& layout) const {
  bool same = codec.format.exponent_bits == format_.format.exponent_bits &&
              codec.format.mantissa_bits == format_.format.mantissa_bits && codec.scale == format_.scale &&
              codec.blocks.scale_group_log2 == format_.scale_group_log2 &&
              codec.blocks.correction == format_.correction;
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const FloatBlocksLayout::Part& part = layout.parts[i];
    same = same && part.exact == IsExact(first_block + i) && part.count == block_size(first_block + i);
  }
  return same;
}

// Scales and codes are stored here as there.
void PackedMatrix::HoldPart(size_t block, const FloatBlocksLayout::Part& part, absl::string_view body) {
  uint8_t* const out = &bytes_[starts_[block]];
  const char* const in = body.data();
  if (part.exact) {
    BlockBuffer values;
    LoadAllLittle<uint32_t>(in + part.data, part.count, values.data());
    std::memcpy(out, values.data(), part.count * sizeof(float));
    return;
  }
  std::memcpy(out, in + part.data, PackedSize(part.count, format_.format.width()));
  const size_t size = ScaleSize(format_.scale);
  std::copy_n(in + part.scales, codes().GroupsOf(part.count) * size,
              scales_.begin() + static_cast<ptrdiff_t>(block * GroupsOf(format_) * size));
  if (!transforms_.empty()) transforms_[block] = LoadCorrection(body, part);
}

absl::Status PackedMatrix::Encode(size_t block, absl::Span<const float> values, Rounding rounding, uint64_t key) {
  // Under the correction that the block has; then it may be fitted anew. So values on the block's grid stay on it.
  BlockBuffer moved;
  const float* coded = values.data();
  if (!transforms_.empty()) {
    const Line& line = transforms_[block];
    for (size_t i = 0; i < values.size(); ++i) moved[i] = (values[i] - line.offset) / line.slope;
    coded = moved.data();
  }
  if (MaxMagnitudeBits(coded, values.size()) >= kFloatInfinityBits) {
    return absl::InvalidArgumentError("a weight is too large for its correction");
  }
  std::array<uint16_t, kBlock> random;
  const uint16_t* dither = rounding == Rounding::kTruncate ? TruncatingDither() : nullptr;
  if (rounding == Rounding::kStochastic) {
    FillRandomHalves(key, block * kBlockHalves, absl::MakeSpan(random.data(), values.size()));
    dither = random.data();
  }
  const auto to_code = absl::MakeConstSpan(coded, values.size());
  const GroupScales scales = ChooseGroupScales(codes(), to_code);
  StoreScales(block, scales);
  EncodeRowBlock(codes(), scales, to_code, dither, &bytes_[starts_[block]]);
  if (!transforms_.empty() && rounding != Rounding::kStochastic) FitTransform(block, values);
  return absl::OkStatus();
}

void PackedMatrix::FitTransform(size_t block, absl::Span<const float> values) {
  BlockBuffer decoded;
  const auto codes = absl::MakeSpan(decoded.data(), values.size());
  Decode(block, codes);
  transforms_[block] = FitLine(codes, values);
}

absl::StatusOr<WeightsRule> WeightsRule::Parse(absl::string_view text) {
  if (text == "full") return WeightsRule{};
  using Rounding = PackedFormat::Rounding;
  if (text == "packed") return WeightsRule{true, Rounding::kStochastic};
  if (text == "packed:nearest") return WeightsRule{true, Rounding::kNearestEven};
  if (text == "packed:truncate") return WeightsRule{true, Rounding::kTruncate};
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': use full, packed, packed:nearest or packed:truncate"));
}

}  // namespace thinwire
