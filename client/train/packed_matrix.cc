#include "client/train/packed_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/random_bits.h"
#include "common/base/status_macros.h"
#include "common/codec/float_format.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/line_fit.h"

namespace thinwire {
namespace {

using Rounding = PackedFormat::Rounding;
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
  if (correction && rounding == Rounding::kStochastic) {
    return absl::InvalidArgumentError(
        "a correction fitted to stochastically rounded weights shrinks them a little in every step; use one of the "
        "two");
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
  const uint32_t largest = MaxMagnitudeBits(values.data(), values.size());
  if (largest >= kFloatInfinityBits) {
    return absl::InvalidArgumentError(absl::StrCat("a weight of block ", block, " is NaN or infinite"));
  }
  if (IsExact(block)) {
    std::memcpy(&bytes_[starts_[block]], values.data(), values.size() * sizeof(float));
    return absl::OkStatus();
  }
  // Rounding again what was rounded before must not move it; with most rules it would not, but to compare is a rule for
  // all of them.
  BlockBuffer held;
  ExpandBlock(block, absl::MakeSpan(held.data(), values.size()));
  if (std::memcmp(held.data(), values.data(), values.size() * sizeof(float)) == 0) return absl::OkStatus();
  return Encode(block, values, key);
}

absl::Status PackedMatrix::Pack(absl::Span<const float> values, uint64_t key) {
  for (size_t block = 0; block < blocks(); ++block) {
    TW_RETURN_IF_ERROR(PackBlock(block, values.subspan(block * kBlock, block_size(block)), key));
  }
  return absl::OkStatus();
}

absl::Status PackedMatrix::Encode(size_t block, absl::Span<const float> values, uint64_t key) {
  // Under the correction that the block has; then it is fitted anew. So values on the block's grid stay on it.
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
  const uint16_t* dither = format_.rounding == Rounding::kTruncate ? TruncatingDither() : nullptr;
  if (format_.rounding == Rounding::kStochastic) {
    FillRandomHalves(key, block * kBlockHalves, absl::MakeSpan(random.data(), values.size()));
    dither = random.data();
  }
  const auto to_code = absl::MakeConstSpan(coded, values.size());
  const GroupScales scales = ChooseGroupScales(codes(), to_code);
  StoreScales(block, scales);
  EncodeRowBlock(codes(), scales, to_code, dither, &bytes_[starts_[block]]);
  if (!transforms_.empty()) FitTransform(block, values);
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
  if (text == "packed") return WeightsRule{true, Rounding::kStochastic};
  if (text == "packed:nearest") return WeightsRule{true, Rounding::kNearestEven};
  if (text == "packed:truncate") return WeightsRule{true, Rounding::kTruncate};
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': use full, packed, packed:nearest or packed:truncate"));
}

}  // namespace thinwire
