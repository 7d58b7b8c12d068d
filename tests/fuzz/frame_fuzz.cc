// Any bytes as a frame: as they are, and with the checksum made right so that what lies behind it is reached.
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/codec/codec.h"
#include "common/codec/frame.h"
#include "common/codec/sparse_codec.h"
#include "common/codec/update_frame.h"
#include "common/update/update_coder.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

constexpr uint32_t kMaxCount = 1 << 16;

void CheckFloats(absl::string_view frame, const FrameInfo& info) {
  std::vector<float> values(info.count);
  if (!DecodeFrame(frame, absl::MakeSpan(values)).ok()) return;
  for (const float value : values) Require(std::isfinite(value), "decoded values are finite");
  const auto codec = MakeCodec(info.codec);
  Require(codec.ok(), "a frame that decodes names a codec that encodes");
  std::string again;
  // Float blocks choose their scales themselves.
  const float scale = info.codec.id == CodecId::kFloatBlocks ? 1.0f : info.scale;
  Require((*codec)->EncodePartly(values, scale, info.exact_blocks, &again).ok(), "decoded values encode as they were");
  Require(again.size() == frame.size(), "they take the same space");
  // Values that a power of two has scaled are exact, so the same codes come out again unless the product was subnormal.
  std::vector<float> second(values.size());
  Require(DecodeFrame(again, absl::MakeSpan(second)).ok(), "what was encoded decodes");
  const bool exact = info.codec.scale != ScaleRule::kAbsMax && !info.codec.blocks.correction;
  if (exact) Require(second == values, "and gives the same values");
}

void CheckSparse(absl::string_view frame, const FrameInfo& info) {
  constexpr uint64_t kDimension = uint64_t{1} << 40;
  std::vector<uint64_t> positions(info.count);
  std::vector<float> values(info.count);
  if (!DecodeSparseFrame(frame, kDimension, absl::MakeSpan(positions), absl::MakeSpan(values)).ok()) return;
  for (size_t i = 0; i < positions.size(); ++i) {
    Require(positions[i] < kDimension && (i == 0 || positions[i] > positions[i - 1]), "decoded positions ascend");
    Require(std::isfinite(values[i]), "decoded values are finite");
  }
  std::string again;
  Require(EncodeSparseFrame(info.codec, positions, values, info.scale, &again).ok(), "decoded entries encode");
  Require(again.size() <= frame.size(), "in the best code of positions");
  std::vector<uint64_t> second(info.count);
  std::vector<float> unused(info.count);
  Require(DecodeSparseFrame(again, kDimension, absl::MakeSpan(second), absl::MakeSpan(unused)).ok(),
          "what was encoded decodes");
  Require(second == positions, "and gives the same positions");
}

// A whole update, of a model of two tensors.
void CheckUpdate(absl::string_view frame, const FrameInfo& info) {
  const auto piece = ReadUpdateFrame(frame, info.count);
  Require(piece.ok(), "lawful frames of updates are read");
  Require(!DescribeUpdate(*piece).empty() && std::isfinite(UpdateStep(*piece)), "and described");
  const int64_t rows = 1 + info.count % 7, values = info.count;
  const auto model = ModelSpec::Create({{"w", {rows, values / rows}, DataType::kFloat32, TensorRole::kTrainable},
                                        {"b", {values % rows}, DataType::kFloat32, TensorRole::kTrainable}});
  const UpdateLayout layout(*model);
  std::vector<float> all;
  const absl::Status decoded = DecodeUpdateString(piece->codec, piece->bytes, layout,
                                                  [&all](const UpdateLayout::Tensor&, absl::Span<float> tensor) {
                                                    for (const float value : tensor)
                                                      Require(std::isfinite(value), "decoded values are finite");
                                                    all.insert(all.end(), tensor.begin(), tensor.end());
                                                    return absl::OkStatus();
                                                  });
  Require(!decoded.ok() || all.size() == info.count, "all values are decoded");
  std::string again;
  AppendUpdateFrame(piece->codec, info.count, piece->bytes, &again);
  Require(again == frame, "updates have one frame");
}

void CheckFrame(absl::string_view frame) {
  const auto info = ReadFrameInfo(frame);
  std::vector<float> none;
  if (!info.ok()) {
    Require(!DecodeFrame(frame, absl::MakeSpan(none)).ok(), "a frame without lawful header does not decode");
    return;
  }
  if (info->count > kMaxCount) return;
  if (IsUpdateCodec(info->codec.id)) {
    Require(!DecodeFrame(frame, absl::MakeSpan(none)).ok(), "an update is not values of a tensor");
    CheckUpdate(frame, *info);
  } else if (info->codec.id == CodecId::kSparse) {
    CheckSparse(frame, *info);
  } else if (info->codec.id == CodecId::kInt64) {
    std::vector<int64_t> values(info->count);
    Require(DecodeIntFrame(frame, absl::MakeSpan(values)).ok(), "lawful integer frames decode");
    std::string again;
    EncodeIntFrame(values, &again);
    Require(again == frame, "integers have one encoding");
  } else {
    CheckFloats(frame, *info);
  }
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  std::string frame(reinterpret_cast<const char*>(data), size);
  CheckFrame(frame);
  if (size < kFrameHeaderSize) return 0;
  const absl::string_view view(frame);
  StoreLittle<uint32_t>(static_cast<uint32_t>(size - kFrameHeaderSize), &frame[8]);
  StoreLittle<uint32_t>(Crc32c(view.substr(kFrameHeaderSize), Crc32c(view.substr(0, 12))), &frame[12]);
  CheckFrame(frame);
  return 0;
}
