// Row blocks: the unit in which online model compression (docs/omc.md) codes a matrix or leaves it exact, on the wire
// and in a client's memory alike.
#ifndef THINWIRE_COMMON_CODEC_ROW_BLOCKS_H_
#define THINWIRE_COMMON_CODEC_ROW_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/codec_spec.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

class PayloadReader;

// Values of a row block; the last one of a tensor is shorter. Part of the wire format.
constexpr uint32_t kRowBlockValues = 4096;
constexpr uint32_t kRowBlocksPerBlock = kBlockValues / kRowBlockValues;

inline uint64_t RowBlockCount(uint64_t values) { return (values + kRowBlockValues - 1) / kRowBlockValues; }
inline uint32_t RowBlockSize(uint64_t values, uint64_t row_block) {
  const uint64_t left = values - row_block * kRowBlockValues;
  return static_cast<uint32_t>(left < kRowBlockValues ? left : kRowBlockValues);
}

// The tensors that "weights only" codes: float32, no buffer, at least two dimensions larger than 1, and at least 1,024
// values. Biases, the parameters of norms and tiny matrices are a per mille of a model, and hurt most.
bool IsQuantizedMatrix(const TensorSpec& tensor);

// What `codec` makes of a float tensor: itself, or FP32 for buffers, for what "weights only" leaves out and for the
// tensors named in fp32_tensors; BufferCodec for the buffers of an update that is coded whole (buffer_frame.h).
CodecSpec CodecOf(const CodecSpec& codec, const TensorSpec& tensor);

// INVALID_ARGUMENT if the codec names a tensor that the model does not have.
absl::Status CheckNamedTensors(const CodecSpec& codec, const ModelSpec& model);

// Some row blocks of a model, by tensor and block: bit i of a mask stands for row block i of that block.
class RowBlockSet {
 public:
  // None.
  explicit RowBlockSet(const ModelSpec& spec);
  void Add(uint32_t tensor, uint64_t row_block) {
    masks_[tensor][row_block / kRowBlocksPerBlock] |= static_cast<uint16_t>(1u << row_block % kRowBlocksPerBlock);
  }
  void SetMask(uint32_t tensor, uint64_t block, uint16_t mask) { masks_[tensor][block] = mask; }
  uint16_t Mask(uint32_t tensor, uint64_t block) const { return masks_[tensor][block]; }
  bool Has(uint32_t tensor, uint64_t row_block) const {
    return (Mask(tensor, row_block / kRowBlocksPerBlock) >> row_block % kRowBlocksPerBlock & 1) != 0;
  }
  friend bool operator==(const RowBlockSet& a, const RowBlockSet& b) { return a.masks_ == b.masks_; }

 private:
  std::vector<std::vector<uint16_t>> masks_;
};

// Partial quantisation: all row blocks of the trainable tensors that `codec` codes are cut into
// codec.blocks.exact_one_in windows, and `window` of them is given out: the row blocks that are exact. Each row block
// lies in exactly one window. Full blocks are dealt out in an order that `key` gives, then the short ones from the
// longest to the shortest, and the windows are numbered in an order that `key` gives too. So any two windows differ by
// at most one row block of values, and a window's share of N values is 1 / exact_one_in within 4,096 / N: 0.1 % from
// 1,000 row blocks on; with fewer row blocks than windows, some windows are empty. No row blocks if exact_one_in is 0.
// Both ends get the same set from the same key. `window` is below exact_one_in.
RowBlockSet DrawRowBlocks(const ModelSpec& spec, const CodecSpec& codec, uint64_t key, uint32_t window);

// The sizes of the row blocks in each window, whatever the key: so many full ones, and these short ones. In the order
// in which windows are dealt to.
struct RowBlockWindow {
  uint64_t full = 0;
  std::vector<uint32_t> shorter;
};
std::vector<RowBlockWindow> RowBlockWindows(const ModelSpec& spec, const CodecSpec& codec);

// The row blocks that a payload holds exactly though its codec is float blocks. Reads every frame. Errors as
// PayloadReader::ReadSegment and ReadFrameInfo.
absl::StatusOr<RowBlockSet> ExactRowBlocks(const ModelSpec& spec, const PayloadReader& payload);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_ROW_BLOCKS_H_
