// Any bytes as a quantised update of a few tensors: the first byte chooses their sizes and whether the header is made
// right, so that what lies behind it is reached. What decodes is finite, the same each time, and encodes again.
#include <cmath>
#include <string>
#include <vector>

#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

using Tensors = std::vector<std::vector<float>>;
const std::vector<size_t> kSizes[] = {{3, 640, 350, 9}, {1, 0, 200}, {4096, 8}};

std::vector<absl::Span<float>> ViewOf(Tensors& tensors) {
  std::vector<absl::Span<float>> view;
  for (std::vector<float>& tensor : tensors) view.push_back(absl::MakeSpan(tensor));
  return view;
}

// version, method, tensors and values as they must be; `rest` behind them.
std::string WithHeader(uint8_t method, const std::vector<size_t>& sizes, const std::string& rest) {
  uint64_t values = 0;
  for (const size_t size : sizes) values += size;
  std::string bytes;
  BitWriter writer(&bytes);
  writer.Write(kUpdateVersion, 8);
  writer.Write(method, 8);
  writer.WriteVarint(sizes.size());
  writer.WriteVarint(values);
  return bytes + rest;
}

void CheckUpdate(const std::string& bytes, const std::vector<size_t>& sizes) {
  Tensors first, second;
  for (const size_t size : sizes) {
    first.emplace_back(size, NAN);
    second.emplace_back(size, NAN);
  }
  if (!DequantizeUpdate(bytes, ViewOf(first)).ok()) return;
  bool encodes = true;
  for (const std::vector<float>& tensor : first) {
    for (const float v : tensor) {
      Require(std::isfinite(v), "decoded values are finite");
      encodes = encodes && std::fabs(v) <= kMaxQuantizedMagnitude;
    }
  }
  Require(DequantizeUpdate(bytes, ViewOf(second)).ok() && first == second, "and the same each time");
  if (!encodes) return;
  const std::vector<absl::Span<const float>> update(first.begin(), first.end());
  QuantizeOptions options;
  options.budget_bits = 8000;
  const auto again = QuantizeUpdate(QuantizerSpec::Uniform(4), update, options);
  Require(again.ok() && again->size() <= 1000, "decoded values encode within a budget");
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<size_t>& sizes = kSizes[data[0] % 3];
  CheckUpdate(data[0] >= 128 ? WithHeader(static_cast<uint8_t>(1 + data[0] / 3 % 4), sizes, bytes) : bytes, sizes);
  return 0;
}
