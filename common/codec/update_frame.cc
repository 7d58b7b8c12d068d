#include "common/codec/update_frame.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "common/codec/frame.h"

namespace thinwire {
namespace {

constexpr absl::string_view kUpdateName = "thinwire.update/";

// Past two numbers of seven bits a byte; empty if they do not end.
absl::string_view SkipTwoNumbers(absl::string_view bytes) {
  for (int number = 0; number < 2; ++number) {
    size_t size = 0;
    while (size < bytes.size() && (bytes[size] & 0x80) != 0) ++size;
    bytes = bytes.substr(std::min(size + 1, bytes.size()));
  }
  return bytes;
}

std::string DescribeTopK(absl::string_view body) {
  if (body.size() < 3) return "top-k";
  const int a = static_cast<uint8_t>(body[1]), b = static_cast<uint8_t>(body[2]);
  switch (body[0] & 15) {
    case 1:
      return absl::StrCat("top-k levels R=", a);
    case 2:
      return absl::StrCat("top-k uniform R=", a);
    case 3:
      return absl::StrCat("top-k s1e", a, "m", b);
    default:
      return "top-k";
  }
}

std::string DescribeQuantized(absl::string_view bytes) {
  switch (bytes.size() < 2 ? 0 : bytes[1]) {
    case 1:
      return DescribeTopK(SkipTwoNumbers(bytes.substr(2)));
    case 2:
      return "sign";
    case 3:
      return "qsgd";
    case 4:
      return "eden";
    default:
      return "unknown";
  }
}

}  // namespace

TensorSpec UpdateTensorSpec(uint64_t values) {
  return {absl::StrCat(kUpdateName, values), {1}, DataType::kFloat32, TensorRole::kTrainable};
}

std::optional<uint64_t> UpdateTensorValues(const TensorSpec& tensor) {
  absl::string_view name = tensor.name;
  uint64_t values = 0;
  const bool update = tensor.role == TensorRole::kTrainable && tensor.count() == 1 &&
                      absl::ConsumePrefix(&name, kUpdateName) && absl::SimpleAtoi(name, &values) &&
                      values <= kMaxUpdateFrameValues;
  return update ? std::optional<uint64_t>(values) : std::nullopt;
}

void AppendUpdateFrame(CodecId codec, uint64_t values, absl::string_view piece, std::string* frame) {
  FrameWriter writer(codec, static_cast<uint32_t>(values), piece.size(), frame);
  if (!piece.empty()) std::memcpy(writer.body(), piece.data(), piece.size());
  writer.Finish();
}

absl::StatusOr<UpdatePiece> ReadUpdateFrame(absl::string_view frame, uint64_t values) {
  TW_ASSIGN_OR_RETURN(const Frame parsed, ReadFrame(frame));
  if (IsUpdateCodec(parsed.codec) && parsed.count == values) return UpdatePiece{parsed.codec, parsed.body};
  return absl::InvalidArgumentError(absl::StrCat("the frame is of codec ", static_cast<int>(parsed.codec), " for ",
                                                 parsed.count, " values; an update (codec 6 or 7) of ", values,
                                                 " values is expected"));
}

std::string DescribeUpdate(const UpdatePiece& first) {
  if (first.codec == CodecId::kQuantized) return absl::StrCat("quantized: ", DescribeQuantized(first.bytes));
  if (first.bytes.empty()) return "rdu (zeros)";
  switch (first.bytes[0]) {
    case 1:
      return "rdu best";
    case 2:
      return "rdu fast";
    case 3:
      return "rdu best, companded";
    default:
      return "rdu unknown";
  }
}

float UpdateStep(const UpdatePiece& first) {
  const bool has_step = first.codec == CodecId::kRdu && first.bytes.size() >= 3;
  const uint32_t step = has_step ? LoadLittle<uint16_t>(first.bytes.data() + 1) : 0;
  return step >= 0x0100 && step <= 0xfeff ? FloatFromBits(step << 15) : 1;
}

}  // namespace thinwire
