#include "common/codec/kernels/float_params.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/codec/float_format.h"

namespace thinwire {

FloatParams MakeFloatParams(FloatFormat format, float scale) {
  FloatParams params;
  params.format = format;
  params.scale = scale;
  params.exact_inverse = HasExactInverse(scale);
  params.inverse = 1 / scale;
  params.largest = FloatBits(LargestFinite(format));
  params.rebias = static_cast<uint32_t>(127 - ExponentBias(format)) << 23;
  params.min_normal = params.rebias + (1u << 23);
  params.magnitudes = (SignCode(format) - 1) << params.dropped();
  params.sign_code = SignCode(format);
  if (format.exponent_bits < 8) params.inverse_step = 1 / DecodeFloatCode(1, format);
  return params;
}

PackTable MakePackTable(int width, bool pairs, int block_codes) {
  PackTable table;
  std::fill_n(table.shift, kTableBytes, uint8_t{0});
  std::fill_n(table.even, kTableBytes, kNoByte);
  std::fill_n(table.odd, kTableBytes, kNoByte);
  const int unit_bits = pairs ? 2 * width : width, lane_bytes = pairs ? 8 : 4;
  const int block_bytes = 4 * block_codes, block_units = block_bytes / lane_bytes;
  for (int unit = 0; unit < static_cast<int>(kTableBytes) / lane_bytes; ++unit) {
    const int block = unit / block_units;
    const int bit = unit_bits * unit - block * block_codes * width / 8 * 8;  // from the byte where the block starts
    const int shift = bit % 8;
    table.shift[unit * lane_bytes] = static_cast<uint8_t>(shift);
    uint8_t* bytes = (unit % 2 == 0 ? table.even : table.odd) + block * block_bytes;
    for (int byte = 0; 8 * byte < shift + unit_bits; ++byte) {
      bytes[bit / 8 + byte] = static_cast<uint8_t>(unit % block_units * lane_bytes + byte);
    }
  }
  return table;
}

UnpackTable MakeUnpackTable(int width, int block_codes) {
  UnpackTable table{};
  for (int code = 0; code < 16; ++code) {
    const int block = code / block_codes;
    const int bit = width * code - block * block_codes * width / 8 * 8;
    table.shift[code] = static_cast<uint32_t>(bit % 8);
    for (int byte = 0; byte < 4; ++byte) table.bytes[4 * code + byte] = static_cast<uint8_t>(bit / 8 + byte);
  }
  return table;
}

}  // namespace thinwire
