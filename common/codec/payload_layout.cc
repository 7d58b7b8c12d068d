#include "common/codec/payload_layout.h"

#include <memory>

#include "common/base/status_macros.h"
#include "common/codec/frame.h"

namespace thinwire {
namespace {

// Bytes of a frame of `count` values of a tensor whose values go through `codec`.
uint64_t SegmentSize(const TensorSpec& tensor, const Codec& codec, uint32_t count) {
  if (tensor.dtype == DataType::kInt64) return kFrameHeaderSize + uint64_t{8} * count;
  if (tensor.role == TensorRole::kBuffer) return kFrameHeaderSize + uint64_t{4} * count;
  return codec.MaxFrameSize(count);
}

}  // namespace

size_t SegmentCount(const ModelSpec& spec, Representation representation) {
  uint64_t count = 0;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (CarriesTensor(representation, tensor)) count += BlockCount(tensor.count());
  }
  return static_cast<size_t>(count);
}

absl::StatusOr<uint64_t> MaxPayloadSize(const ModelSpec& spec, Representation representation, const CodecSpec& codec) {
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Codec> coder, MakeCodec(codec));
  uint64_t size = ManifestSize(SegmentCount(spec, representation));
  for (const TensorSpec& tensor : spec.tensors()) {
    const uint64_t blocks = CarriesTensor(representation, tensor) ? BlockCount(tensor.count()) : 0;
    if (blocks == 0) continue;
    const uint32_t last = BlockSize(tensor.count(), blocks - 1);
    size += (blocks - 1) * SegmentSize(tensor, *coder, kBlockValues) + SegmentSize(tensor, *coder, last);
  }
  return size;
}

}  // namespace thinwire
