// Every instruction set decodes any bits, and encodes any values, as the scalar kernels do.
// Input: exponent bits, mantissa bits, scale rule and scale (4 bytes) of a float body, then its codes; as many as fit.
#include <cstring>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/codec_spec.h"
#include "common/codec/float_scale.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/kernels/float_kernels_scalar.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

struct Case {
  FloatFormat format;
  float scale;
};

void CheckDecoding(const Case& c, const std::vector<uint8_t>& packed, size_t count) {
  std::vector<float> expected(count), actual(count);
  const bool numbers = scalar::DecodeFloats(packed.data(), count, c.format, c.scale, expected.data());
  Require(DecodeFloats(packed.data(), count, c.format, c.scale, actual.data()) == numbers, "the same verdict on codes");
  if (!numbers || count == 0) return;
  Require(std::memcmp(expected.data(), actual.data(), count * sizeof(float)) == 0, "the same values");
}

void CheckEncoding(const Case& c, const std::vector<float>& values) {
  const size_t size = PackedSize(values.size(), c.format.width());
  std::vector<uint8_t> expected(size), actual(size);
  const bool finite = scalar::EncodeFloats(values.data(), values.size(), c.format, c.scale, expected.data());
  Require(EncodeFloats(values.data(), values.size(), c.format, c.scale, actual.data()) == finite,
          "the same verdict on values");
  Require(!finite || expected == actual, "the same bytes");
  Require(MaxMagnitudeBits(values.data(), values.size()) == scalar::MaxMagnitudeBits(values.data(), values.size()),
          "the same largest magnitude");
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  if (size < 7) return 0;
  const CodecSpec spec = CodecSpec::Float(data[0], data[1], static_cast<ScaleRule>(data[2]));
  const Case c{spec.format, FloatFromBits(LoadLittle<uint32_t>(data + 3))};
  if (!spec.Validate().ok() || !CheckFloatScale(c.format, spec.scale, c.scale).ok()) return 0;
  const size_t count = (size - 7) * 8 / static_cast<size_t>(c.format.width());
  // Exact copies, so that reading beyond is seen by the address sanitizer.
  const std::vector<uint8_t> packed(data + 7, data + 7 + PackedSize(count, c.format.width()));
  std::vector<float> values((size - 7) / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), data + 7, values.size() * sizeof(float));
  for (const KernelTarget& target : KernelTargets()) {
    UseKernelTarget(&target);
    CheckDecoding(c, packed, count);
    CheckEncoding(c, values);
  }
  UseKernelTarget(nullptr);
  return 0;
}
