#include "common/codec/row_blocks.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/payload.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

constexpr uint64_t kMinMatrixValues = 1024;

// Whether a window can have row blocks of this tensor.
bool TakesPart(const CodecSpec& codec, const TensorSpec& tensor) {
  return tensor.role == TensorRole::kTrainable && CodecOf(codec, tensor).id == CodecId::kFloatBlocks;
}

struct RowBlock {
  uint32_t tensor;
  uint64_t index;
  uint32_t size;
};

std::vector<RowBlock> AllRowBlocks(const ModelSpec& spec, const CodecSpec& codec) {
  std::vector<RowBlock> all;
  for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
    if (!TakesPart(codec, spec.tensors()[i])) continue;
    const uint64_t count = spec.tensors()[i].count();
    for (uint64_t block = 0; block < RowBlockCount(count); ++block)
      all.push_back({i, block, RowBlockSize(count, block)});
  }
  return all;
}

}  // namespace

bool IsQuantizedMatrix(const TensorSpec& tensor) {
  const auto wide = std::count_if(tensor.shape.begin(), tensor.shape.end(), [](int64_t size) { return size > 1; });
  return tensor.dtype == DataType::kFloat32 && tensor.role != TensorRole::kBuffer && wide >= 2 &&
         tensor.count() >= kMinMatrixValues;
}

CodecSpec CodecOf(const CodecSpec& codec, const TensorSpec& tensor) {
  if (tensor.role == TensorRole::kBuffer) {
    return IsUpdateCodec(codec.id) && IsBufferDifferences(tensor) ? BufferCodec() : CodecSpec::Fp32();
  }
  if (codec.id != CodecId::kFloatBlocks) return codec;
  const std::vector<std::string>& named = codec.blocks.fp32_tensors;
  const bool exact = (codec.blocks.weights_only && !IsQuantizedMatrix(tensor)) ||
                     std::binary_search(named.begin(), named.end(), tensor.name);
  return exact ? CodecSpec::Fp32() : codec;
}

absl::Status CheckNamedTensors(const CodecSpec& codec, const ModelSpec& model) {
  for (const std::string& name : codec.blocks.fp32_tensors) {
    const auto has_name = [&name](const TensorSpec& tensor) { return tensor.name == name; };
    if (std::any_of(model.tensors().begin(), model.tensors().end(), has_name)) continue;
    const std::string first = model.tensors().empty() ? "" : model.tensors().front().name;
    return absl::InvalidArgumentError(absl::StrCat("fp32_tensors names '", name, "', which the model does not have (",
                                                   model.tensors().size(), " tensors, the first is '", first,
                                                   "'); correct the name, or leave it out"));
  }
  return absl::OkStatus();
}

RowBlockSet::RowBlockSet(const ModelSpec& spec) {
  for (const TensorSpec& tensor : spec.tensors()) masks_.emplace_back(BlockCount(tensor.count()), uint16_t{0});
}

RowBlockSet DrawRowBlocks(const ModelSpec& spec, const CodecSpec& codec, uint64_t key, uint32_t window) {
  RowBlockSet drawn(spec);
  const uint32_t windows = codec.blocks.exact_one_in;
  if (windows == 0) return drawn;
  RandomStream random(key);
  std::vector<uint32_t> number(windows);  // of the window that is dealt to as the i-th
  std::iota(number.begin(), number.end(), 0u);
  random.Shuffle(number);
  std::vector<RowBlock> blocks = AllRowBlocks(spec, codec);
  random.Shuffle(blocks);
  std::stable_sort(blocks.begin(), blocks.end(), [](const RowBlock& a, const RowBlock& b) { return a.size > b.size; });
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (number[i % windows] == window) drawn.Add(blocks[i].tensor, blocks[i].index);
  }
  return drawn;
}

std::vector<RowBlockWindow> RowBlockWindows(const ModelSpec& spec, const CodecSpec& codec) {
  std::vector<RowBlockWindow> windows(codec.blocks.exact_one_in);
  if (windows.empty()) return windows;
  uint64_t full = 0;
  std::vector<uint32_t> shorter;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (!TakesPart(codec, tensor)) continue;
    full += tensor.count() / kRowBlockValues;
    const uint32_t rest = static_cast<uint32_t>(tensor.count() % kRowBlockValues);
    if (rest > 0) shorter.push_back(rest);
  }
  std::sort(shorter.rbegin(), shorter.rend());
  for (size_t i = 0; i < windows.size(); ++i) windows[i].full = full / windows.size() + (i < full % windows.size());
  for (size_t i = 0; i < shorter.size(); ++i) windows[(full + i) % windows.size()].shorter.push_back(shorter[i]);
  return windows;
}

absl::StatusOr<RowBlockSet> ExactRowBlocks(const ModelSpec& spec, const PayloadReader& payload) {
  RowBlockSet exact(spec);
  std::string frame;
  const std::vector<Segment>& segments = payload.manifest().segments;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (spec.tensors()[segments[i].tensor].role == TensorRole::kBuffer) continue;
    TW_RETURN_IF_ERROR(payload.ReadSegment(i, &frame, SegmentCheck::kFrameOnly));
    TW_ASSIGN_OR_RETURN(const FrameInfo info, ReadFrameInfo(frame));
    exact.SetMask(segments[i].tensor, segments[i].block, info.exact_blocks);
  }
  return exact;
}

}  // namespace thinwire
