#include "common/quantize/rotated_quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/random_bits.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/quantize/gaussian_levels.h"
#include "common/quantize/rotation.h"
#include "common/quantize/update_header.h"

namespace thinwire {
namespace {

constexpr uint32_t kShareOne = 1u << 16;
constexpr uint64_t kParameterBytes = 1 + 1 + 1 + 2 + 8;

struct Rate {
  int bits = 0;
  uint32_t share = 0;  // of kShareOne: those with one bit more
};

// Which bits each rotated value has: the same on both ends.
class BitsOfValues {
 public:
  BitsOfValues(uint64_t seed, Rate rate) : key_(DeriveKey({seed, KeyWord("eden share")})), rate_(rate) {}

  // For the rotated values of one block, called block by block from the first one on.
  absl::Span<const uint16_t> NextHalves(uint32_t count) {
    // Whole blocks of Philox: those of a block start behind the last one's.
    halves_.resize((count + 7) / 8 * 8);
    FillRandomHalves(key_, next_block_, absl::MakeSpan(halves_));
    next_block_ += halves_.size() / 8;
    return absl::MakeSpan(halves_).first(count);
  }
  int Bits(uint16_t half) const { return rate_.bits + (half < rate_.share ? 1 : 0); }

 private:
  const uint64_t key_;
  const Rate rate_;
  uint64_t next_block_ = 0;
  std::vector<uint16_t> halves_;
};

uint64_t SignKey(uint64_t seed, size_t block, int rotation) {
  return DeriveKey({seed, KeyWord("eden signs"), block, static_cast<uint64_t>(rotation)});
}

// Flat positions of an update, read or written in ascending order.
template <typename View>
class FlatCursor {
 public:
  explicit FlatCursor(const View& update) : update_(update) {}
  auto& Next() {
    while (at_ == update_[tensor_].size()) {
      ++tensor_;
      at_ = 0;
    }
    return update_[tensor_][at_++];
  }

 private:
  const View& update_;
  size_t tensor_ = 0;
  size_t at_ = 0;
};

// The most bits a value can have within `room` for all labels. The halves are drawn once for their histogram.
Rate ChooseRate(uint64_t seed, absl::Span<const RotationBlock> blocks, uint64_t room) {
  uint64_t count = 0;
  for (const RotationBlock& block : blocks) count += block.padded;
  Rate rate;
  rate.bits = count == 0 ? 0 : static_cast<int>(std::min<uint64_t>(room / count, kMaxGaussianBits));
  if (rate.bits == kMaxGaussianBits) return rate;
  uint64_t left = room - static_cast<uint64_t>(rate.bits) * count;
  std::vector<uint32_t> histogram(kShareOne);
  BitsOfValues all(seed, rate);
  for (const RotationBlock& block : blocks) {
    for (const uint16_t half : all.NextHalves(block.padded)) ++histogram[half];
  }
  while (rate.share < kShareOne - 1 && histogram[rate.share] <= left) left -= histogram[rate.share++];
  return rate;
}

// The index of the nearest magnitude among a normal variable's.
class NormalLevels {
 public:
  NormalLevels() {
    for (int bits = 1; bits <= kMaxGaussianBits; ++bits) {
      const absl::Span<const float> levels = GaussianLevels(bits);
      for (size_t i = 0; i + 1 < levels.size(); ++i) thresholds_[bits].push_back((levels[i] + levels[i + 1]) / 2);
    }
  }
  uint32_t Nearest(int bits, float magnitude) const {
    const std::vector<float>& thresholds = thresholds_[static_cast<size_t>(bits)];
    return static_cast<uint32_t>(std::lower_bound(thresholds.begin(), thresholds.end(), magnitude) -
                                 thresholds.begin());
  }

 private:
  std::array<std::vector<float>, kMaxGaussianBits + 1> thresholds_;
};

// z is the block divided by `unit` and rotated; its values become labels. Returns the scale that undoes all of that.
float Quantise(absl::Span<const float> z, double unit, bool unbiased, const NormalLevels& levels,
               absl::Span<const uint16_t> halves, const BitsOfValues& rate, BitWriter& labels) {
  double energy = 0;
  for (const float x : z) energy += double{x} * x;
  const double deviation = std::sqrt(energy / static_cast<double>(z.size()));
  double product = 0;
  double square = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const int bits = rate.Bits(halves[i]);
    if (bits == 0) continue;
    const double normal = deviation > 0 ? z[i] / deviation : 0;
    const uint64_t level = levels.Nearest(bits, static_cast<float>(std::fabs(normal)));
    labels.Write(level << 1 | (z[i] < 0 ? 1 : 0), bits);
    const double q = GaussianLevels(bits)[level];
    product += std::fabs(double{z[i]}) * q;
    square += q * q;
  }
  return product > 0 ? static_cast<float>(unit * (unbiased ? energy / product : product / square)) : 0;
}

// The next values of the update as a block, padded with zeros and divided by a power of two, so that neither denormals
// nor large values lose anything on the way. Returns its exponent.
int TakeBlock(const RotationBlock& block, FlatCursor<UpdateView>& cursor, std::vector<float>* values) {
  values->assign(block.padded, 0.0f);
  float largest = 0;
  for (uint32_t i = 0; i < block.size; ++i) {
    (*values)[i] = cursor.Next();
    largest = std::max(largest, std::fabs((*values)[i]));
  }
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  for (float& x : *values) x = std::scalbn(x, -exponent);
  return exponent;
}

void WriteParameters(const QuantizerSpec& spec, const Rate& rate, uint64_t seed, BitWriter& writer) {
  writer.Write(static_cast<uint64_t>(spec.rotations), 8);
  writer.Write(static_cast<uint64_t>(spec.block_log2), 8);
  writer.Write(static_cast<uint64_t>(rate.bits), 8);
  writer.Write(rate.share, 16);
  writer.Write(seed & 0xffffffffu, 32);
  writer.Write(seed >> 32, 32);
}

}  // namespace

uint64_t LeastRotatedBytes(const QuantizerSpec& spec, uint64_t values) {
  return kParameterBytes + 4 * RotationBlocks(values, spec.block_log2).size();
}

absl::StatusOr<std::string> EncodeRotated(const QuantizerSpec& spec, UpdateView update,
                                          const QuantizeOptions& options) {
  std::string bytes = StartUpdate(QuantizerMethod::kRotated, update);
  const std::vector<RotationBlock> blocks = RotationBlocks(CountValues(update), spec.block_log2);
  const uint64_t least = 8 * (bytes.size() + kParameterBytes + 4 * blocks.size());
  if (options.budget_bits < least) return BudgetTooSmall(spec.Name(), options.budget_bits, least);
  const Rate rate = ChooseRate(options.seed, blocks, (options.budget_bits - least) / 8 * 8);

  BitWriter writer(&bytes);
  WriteParameters(spec, rate, options.seed, writer);
  std::string label_bytes;
  BitWriter labels(&label_bytes);
  BitsOfValues bits_of_values(options.seed, rate);
  const NormalLevels levels;
  FlatCursor<UpdateView> cursor(update);
  std::vector<float> values;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const int exponent = TakeBlock(blocks[b], cursor, &values);
    for (int r = 0; r < spec.rotations; ++r) Rotate(SignKey(options.seed, b, r), absl::MakeSpan(values));
    const double unit = std::scalbn(std::pow(blocks[b].padded, -spec.rotations), exponent);
    const absl::Span<const uint16_t> halves = bits_of_values.NextHalves(blocks[b].padded);
    WriteFloat(Quantise(values, unit, spec.unbiased, levels, halves, bits_of_values, labels), writer);
  }
  labels.Finish();
  writer.WriteBytes(label_bytes);
  return bytes;
}

namespace {

struct RotatedHeader {
  int rotations = 1;
  int block_log2 = 0;
  Rate rate;
  uint64_t seed = 0;
};

absl::StatusOr<RotatedHeader> ReadParameters(BitReader& reader) {
  RotatedHeader header;
  header.rotations = static_cast<int>(reader.Read(8));
  header.block_log2 = static_cast<int>(reader.Read(8));
  header.rate.bits = static_cast<int>(reader.Read(8));
  header.rate.share = static_cast<uint32_t>(reader.Read(16));
  header.seed = reader.Read(32);
  header.seed |= reader.Read(32) << 32;
  QuantizerSpec spec = QuantizerSpec::Rotated(false);
  spec.rotations = header.rotations;
  spec.block_log2 = header.block_log2;
  TW_RETURN_IF_ERROR(spec.Validate());
  const int most = header.rate.bits + (header.rate.share > 0 ? 1 : 0);
  if (reader.ok() && most <= kMaxGaussianBits) return header;
  return absl::InvalidArgumentError(
      absl::StrCat("the update has ", most, " bits a rotated value, at most ", kMaxGaussianBits, " are lawful"));
}

// The rotated block as multiples of its scale.
absl::Status ReadBlock(const BitsOfValues& rate, absl::Span<const uint16_t> halves, absl::Span<float> z,
                       BitReader& reader) {
  for (size_t i = 0; i < z.size(); ++i) {
    const int bits = rate.Bits(halves[i]);
    const uint64_t label = reader.Read(bits);
    const float magnitude = bits == 0 ? 0 : GaussianLevels(bits)[label >> 1];
    z[i] = (label & 1) != 0 ? -magnitude : magnitude;
  }
  if (reader.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError("the update ends within the labels of a rotated block");
}

}  // namespace

absl::Status DecodeRotated(BitReader& reader, MutableUpdateView out) {
  TW_ASSIGN_OR_RETURN(const RotatedHeader header, ReadParameters(reader));
  const std::vector<RotationBlock> blocks = RotationBlocks(CountValues(out), header.block_log2);
  if (reader.bytes_left() < 4 * blocks.size()) {
    return absl::InvalidArgumentError("the update ends within the scales of its blocks");
  }
  std::vector<float> scales;
  for (size_t b = 0; b < blocks.size(); ++b) {
    TW_ASSIGN_OR_RETURN(const float scale, ReadScale(reader));
    scales.push_back(scale);
  }
  BitsOfValues bits_of_values(header.seed, header.rate);
  FlatCursor<MutableUpdateView> cursor(out);
  std::vector<float> z;
  for (size_t b = 0; b < blocks.size(); ++b) {
    z.resize(blocks[b].padded);
    TW_RETURN_IF_ERROR(
        ReadBlock(bits_of_values, bits_of_values.NextHalves(blocks[b].padded), absl::MakeSpan(z), reader));
    for (int r = header.rotations - 1; r >= 0; --r) RotateBack(SignKey(header.seed, b, r), absl::MakeSpan(z));
    for (uint32_t i = 0; i < blocks[b].size; ++i) {
      float& x = cursor.Next();
      x = z[i] * scales[b];
      if (!std::isfinite(x)) return absl::InvalidArgumentError("the update decodes to a value that is not finite");
    }
  }
  return reader.Finish();
}

}  // namespace thinwire
