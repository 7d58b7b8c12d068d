// A matrix held as small floats and changed in place: the client's memory of online model compression (Yang et al.
// 2022, "Online Model Compression for Federated Learning with Large Models", section 2). No LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_PACKED_MATRIX_H_
#define THINWIRE_CLIENT_TRAIN_PACKED_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/frame.h"
#include "common/codec/line_fit.h"
#include "common/codec/row_block_codes.h"
#include "common/codec/row_blocks.h"

namespace thinwire {

struct PackedFormat {
  FloatFormat format{3, 7};  // S1E8M23 holds every value as it is
  ScaleRule scale = ScaleRule::kPowerOfTwo;
  int scale_group_log2 = BlockOptions::kMaxGroupLog2;  // 2^this values share a scale: 6 (64) to 12 (4,096, a block)
  enum class Rounding { kNearestEven, kTruncate, kStochastic } rounding = Rounding::kStochastic;
  // Least-squares slope and offset of each block (the paper's per-variable transformation). Stochastic rounding leaves
  // them as they came and rounds between them, which errs to neither side; it does not fit them anew: its noise makes
  // the fitted slope smaller than 1, and step after step that would shrink the weights.
  bool correction = false;

  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
};

// Values in blocks of kBlock, the last one shorter. Each block is held either as codes with scales of its own or, for
// the share that partial quantisation leaves out, in FP32. A block whose values did not change keeps its bytes.
// Thread-compatible.
class PackedMatrix {
 public:
  static constexpr size_t kBlock = kRowBlockValues;
  static size_t BlocksOf(uint64_t count) { return static_cast<size_t>((count + kBlock - 1) / kBlock); }

  // All zero. `format` is valid. `exact` says which blocks are held in FP32: one entry a block, or empty for none.
  PackedMatrix(uint64_t count, const PackedFormat& format, std::vector<bool> exact = {});

  uint64_t count() const { return count_; }
  size_t blocks() const { return starts_.size() - 1; }
  size_t block_size(size_t block) const;
  // Bytes of codes, FP32 blocks, scales, corrections and places: all that it holds.
  size_t memory() const;

  // `out` has block_size(block) values.
  void ExpandBlock(size_t block, absl::Span<float> out) const;
  // `out` has count() values.
  void Expand(absl::Span<float> out) const;

  // Takes new values of a block. `key` is that of the random numbers of this matrix in this step (stochastic rounding);
  // the block's are its own. INVALID_ARGUMENT if a value is NaN or infinite; the block is then as it was.
  absl::Status PackBlock(size_t block, absl::Span<const float> values, uint64_t key);
  absl::Status Pack(absl::Span<const float> values, uint64_t key);

  // The same for values that were not trained but came from elsewhere: rounded to nearest whatever the format says, and
  // under a correction that is fitted to them. To be used where HoldFrame cannot be.
  absl::Status HoldBlock(size_t block, absl::Span<const float> values);
  // Takes the blocks from `first_block` on as a frame of floats or float blocks has them, codes, scales and
  // corrections, so that no value is rounded. False, and nothing has changed, if it has them in another form than this
  // matrix: format, rule and groups of scales, correction, or which blocks are exact. Errors as DecodeFrame, and
  // INVALID_ARGUMENT if there are fewer blocks than that; the matrix is then as it was.
  absl::StatusOr<bool> HoldFrame(size_t first_block, absl::string_view frame);

 private:
  using Rounding = PackedFormat::Rounding;
  bool IsExact(size_t block) const { return !exact_.empty() && exact_[block]; }
  absl::StatusOr<bool> HoldFloats(size_t first_block, const Frame& frame);
  absl::StatusOr<bool> HoldFloatBlocks(size_t first_block, const Frame& frame);
  bool HasFormOf(const CodecSpec& codec, size_t first_block, const FloatBlocksLayout& layout) const;
  void HoldPart(size_t block, const FloatBlocksLayout::Part& part, absl::string_view body);
  RowBlockFormat codes() const;
  void Decode(size_t block, absl::Span<float> out) const;
  absl::Status Take(size_t block, absl::Span<const float> values, Rounding rounding, uint64_t key);
  absl::Status Encode(size_t block, absl::Span<const float> values, Rounding rounding, uint64_t key);
  GroupScales LoadScales(size_t block) const;
  void StoreScales(size_t block, const GroupScales& scales);
  void FitTransform(size_t block, absl::Span<const float> values);

  uint64_t count_;
  PackedFormat format_;
  std::vector<bool> exact_;
  std::vector<uint64_t> starts_;  // of each block in bytes_, and the end
  std::vector<uint8_t> bytes_;
  std::vector<uint8_t> scales_;   // of each group, all blocks having as many (StoreScale)
  std::vector<Line> transforms_;  // of each block, empty without correction: value = line(scale * number of the code)
};

// How a trainer holds its matrices, as an operator says it.
struct WeightsRule {
  bool packed = false;  // in the small floats of the plan's downlink
  PackedFormat::Rounding rounding = PackedFormat::Rounding::kStochastic;

  // "full", "packed" (stochastic), "packed:nearest" or "packed:truncate"; INVALID_ARGUMENT otherwise.
  static absl::StatusOr<WeightsRule> Parse(absl::string_view text);
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_PACKED_MATRIX_H_
