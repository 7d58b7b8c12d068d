#include "common/codec/buffer_frame.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"
#include "common/codec/float_blocks_codec.h"

namespace thinwire {
namespace {

constexpr absl::string_view kBuffersName = "thinwire.buffers";
constexpr absl::string_view kCountsName = "thinwire.counts";
// Of a value that is not negative: the least that may be left of it. Half a step of S1E3M2 is an eighth at most.
constexpr float kLeastShare = 0.875f;

// `values` as `codec` decodes them.
absl::Status Rounded(const CodecSpec& codec, absl::Span<const float> values, absl::Span<float> out) {
  std::string frame;
  TW_RETURN_IF_ERROR(FloatBlocksCodec(codec).Encode(values, /*scale=*/1, &frame));
  return DecodeFrame(frame, out);
}

}  // namespace

TensorSpec BufferDifferencesSpec(uint64_t count) {
  return {std::string(kBuffersName), {static_cast<int64_t>(count)}, DataType::kFloat32, TensorRole::kBuffer};
}

TensorSpec CountDifferencesSpec(uint64_t count) {
  return {std::string(kCountsName), {static_cast<int64_t>(count)}, DataType::kInt64, TensorRole::kBuffer};
}

bool IsBufferDifferences(const TensorSpec& tensor) {
  return tensor.role == TensorRole::kBuffer && tensor.dtype == DataType::kFloat32 && tensor.name == kBuffersName;
}

absl::Status RoundBufferDifferences(absl::Span<const float> base, absl::Span<const float> trained,
                                    absl::Span<float> differences) {
  std::vector<float> exact(trained.size()), truncated(trained.size());
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = trained[i] - base[i];
  CodecSpec codec = BufferCodec();
  TW_RETURN_IF_ERROR(Rounded(codec, exact, differences));
  codec.blocks.truncate = true;
  TW_RETURN_IF_ERROR(Rounded(codec, exact, absl::MakeSpan(truncated)));
  for (size_t i = 0; i < exact.size(); ++i) {
    if (trained[i] >= 0 && base[i] + differences[i] < kLeastShare * trained[i]) differences[i] = truncated[i];
  }
  return absl::OkStatus();
}

}  // namespace thinwire
