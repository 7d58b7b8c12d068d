#include "common/codec/kernels/float_params.h"

#include "common/base/bytes.h"
#include "common/codec/float_format.h"

namespace thinwire {

FloatParams MakeFloatParams(FloatFormat format, float scale) {
  FloatParams params;
  params.format = format;
  params.scale = scale;
  // The reciprocal of a power of two is exact, and so x * inverse is x / scale, correctly rounded like the division.
  params.exact_inverse = (FloatBits(scale) & 0x007fffffu) == 0;
  params.inverse = 1 / scale;
  params.largest = FloatBits(LargestFinite(format));
  params.rebias = static_cast<uint32_t>(127 - ExponentBias(format)) << 23;
  params.min_normal = params.rebias + (1u << 23);
  params.magnitudes = (SignCode(format) - 1) << params.dropped();
  params.sign_code = SignCode(format);
  return params;
}

PackTable MakePackTable(int width, int first_bit, int pairs) {
  PackTable table;
  table.even.fill(kNoByte);
  table.odd.fill(kNoByte);
  for (int pair = 0; pair < pairs; ++pair) {
    const int bit = first_bit + 2 * width * pair;
    const int shift = bit % 8;
    table.shift[static_cast<size_t>(pair)] = static_cast<uint64_t>(shift);
    auto& bytes = pair % 2 == 0 ? table.even : table.odd;
    for (int byte = 0; 8 * byte < shift + 2 * width; ++byte) {
      bytes[static_cast<size_t>(bit / 8 + byte)] = static_cast<uint8_t>(8 * pair + byte);
    }
  }
  return table;
}

UnpackTable MakeUnpackTable(int width, int first_bit, int codes) {
  UnpackTable table;
  for (int code = 0; code < codes; ++code) {
    const int bit = first_bit + width * code;
    table.shift[static_cast<size_t>(code)] = static_cast<uint32_t>(bit % 8);
    for (int byte = 0; byte < 4; ++byte) {
      table.bytes[static_cast<size_t>(4 * code + byte)] = static_cast<uint8_t>(bit / 8 + byte);
    }
  }
  return table;
}

}  // namespace thinwire
