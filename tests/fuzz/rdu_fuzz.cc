// Any bytes as an update of a few tensors: the first byte chooses shapes and whether the header is made right. What
// decodes is finite, and encodes again.
#include <cmath>
#include <string>
#include <vector>

#include "common/rdu/update_codec.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

using Shape = std::vector<uint64_t>;
const std::vector<Shape> kShapes[] = {{{3}, {16, 40}, {70, 5}, {1, 9}}, {{}, {0, 4}, {200}}, {{64, 64}, {2, 2, 2}}};

uint64_t SizeOf(const Shape& shape) {
  uint64_t size = 1;
  for (const uint64_t d : shape) size *= d;
  return size;
}

void CheckUpdate(const std::string& bytes, const std::vector<Shape>& shapes) {
  absl::StatusOr<UpdateDecoder> decoder = UpdateDecoder::Create(bytes);
  if (!decoder.ok()) return;
  std::vector<uint64_t> sizes;
  for (const Shape& shape : shapes) sizes.push_back(SizeOf(shape));
  std::vector<std::vector<float>> values(shapes.size());
  std::vector<UpdateTensor> tensors(shapes.size());
  for (const size_t i : CodingOrder(sizes)) {
    values[i].resize(sizes[i]);
    Require(decoder->Next(shapes[i], absl::MakeSpan(values[i])).ok(), "a tensor of the right size decodes");
    for (const float v : values[i]) Require(std::isfinite(v), "decoded values are finite");
    tensors[i] = {values[i], shapes[i]};
  }
  if (!decoder->Finish().ok()) return;
  for (const UpdateOptions& options :
       {UpdateOptions{}, UpdateOptions{UpdateProfile::kFast}, UpdateOptions{UpdateProfile::kBest, 2.5}}) {
    const auto again = EncodeUpdate(tensors, 4000, nullptr, options);
    Require(again.ok(), "decoded values encode");
    Require(again->size() <= 500, "within their budget");
  }
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] >= 128 && bytes.size() >= 3) {
    bytes[0] = static_cast<char>(1 + (data[0] - 128) / 16 % 3);  // 0x8_ best, 0x9_ fast, 0xa_ companded
    bytes[2] = static_cast<char>(0x30 + static_cast<uint8_t>(bytes[2]) % 0x30);
  }
  thinwire::CheckUpdate(bytes, thinwire::kShapes[data[0] % 3]);
  return 0;
}
