#include "common/codec/payload_layout.h"

#include <algorithm>
#include <memory>

#include "common/base/status_macros.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/frame.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"

namespace thinwire {
namespace {

// Bytes of a frame of `count` values of a tensor whose values go through `codec`, none of them left exact; of an
// update, of all of its frames.
absl::StatusOr<uint64_t> SegmentSize(const TensorSpec& tensor, const CodecSpec& spec, uint32_t count) {
  if (tensor.dtype == DataType::kInt64) return kFrameHeaderSize + uint64_t{8} * count;
  if (const std::optional<uint64_t> values = UpdateTensorValues(tensor); values.has_value() && IsUpdateCodec(spec.id)) {
    return MaxUpdateStringSize(*values) + UpdatePieces(MaxUpdateStringSize(*values)) * kFrameHeaderSize;
  }
  const CodecSpec own = CodecOf(spec, tensor);
  if (own.id == CodecId::kFp32) return kFrameHeaderSize + uint64_t{4} * count;
  if (own.id == CodecId::kFloatBlocks) return kFrameHeaderSize + LayOutFloatBlocks(own, count, 0).body_size;
  if (own.id == CodecId::kSparse) return MaxSparseFrameSize(own, count, EntriesDimension(tensor).value_or(0));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> codec, MakeCodec(own));
  return codec->MaxFrameSize(count);
}

// What it adds that a row block is exact, which may be less than nothing.
int64_t ExtraOfExact(const CodecSpec& codec, uint32_t count) {
  return static_cast<int64_t>(LayOutFloatBlocks(codec, count, 1).body_size) -
         static_cast<int64_t>(LayOutFloatBlocks(codec, count, 0).body_size);
}

// What the window that adds the most adds to a payload.
uint64_t LargestWindow(const ModelSpec& spec, const CodecSpec& codec) {
  int64_t largest = 0;
  for (const RowBlockWindow& window : RowBlockWindows(spec, codec)) {
    int64_t extra = static_cast<int64_t>(window.full) * ExtraOfExact(codec, kRowBlockValues);
    for (const uint32_t size : window.shorter) extra += ExtraOfExact(codec, size);
    largest = std::max(largest, extra);
  }
  return static_cast<uint64_t>(largest);
}

}  // namespace

size_t SegmentCount(const ModelSpec& spec, Representation representation) {
  uint64_t count = 0;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (!CarriesTensor(representation, tensor)) continue;
    const std::optional<uint64_t> update = UpdateTensorValues(tensor);
    count += update.has_value() ? UpdatePieces(MaxUpdateStringSize(*update)) : BlockCount(tensor.count());
  }
  return static_cast<size_t>(count);
}

absl::StatusOr<uint64_t> MaxPayloadSize(const ModelSpec& spec, Representation representation, const CodecSpec& codec) {
  TW_RETURN_IF_ERROR(codec.Validate());
  if (codec.id == CodecId::kInt64) return MakeCodec(codec).status();
  uint64_t size = ManifestSize(SegmentCount(spec, representation));
  for (const TensorSpec& tensor : spec.tensors()) {
    const uint64_t blocks = CarriesTensor(representation, tensor) ? BlockCount(tensor.count()) : 0;
    if (blocks == 0) continue;
    const uint32_t last = BlockSize(tensor.count(), blocks - 1);
    TW_ASSIGN_OR_RETURN(const uint64_t whole, SegmentSize(tensor, codec, kBlockValues));
    TW_ASSIGN_OR_RETURN(const uint64_t rest, SegmentSize(tensor, codec, last));
    size += (blocks - 1) * whole + rest;
  }
  // Frozen tensors are never left exact in parts.
  if (representation != Representation::kFrozen) size += LargestWindow(spec, codec);
  return size;
}

}  // namespace thinwire
