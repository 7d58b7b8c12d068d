// What the vector kernels of the float codec need to know of a format: constants of the arithmetic, and byte tables
// that move bits into place. Computed once per call, in plain C++.
#ifndef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_
#define THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

// Wider codes do not fit a 32-bit lane beside the up to 7 bits before them; they are left to the scalar kernels.
constexpr int kMaxVectorWidth = 25;
// Below, one byte may hold parts of three codes, so that codes are joined to pairs first.
constexpr int kMinSingleWidth = 7;

// Constants of the arithmetic; float_math-inl.h says what they do.
struct FloatParams {
  FloatFormat format;
  float scale = 1;
  float inverse = 1;          // 1 / scale if that is exact
  bool exact_inverse = true;  // else values are divided
  uint32_t largest = 0;       // bits of the largest finite number
  uint32_t min_normal = 0;    // bits of the smallest normal number
  uint32_t rebias = 0;        // binary32's bias minus the format's, in binary32's exponent field
  uint32_t magnitudes = 0;    // mask of a magnitude code shifted to binary32's place
  uint32_t sign_code = 0;
  float inverse_step = 0;  // 1 / the distance of subnormal codes; unused at 8 exponent bits

  int dropped() const { return 23 - format.mantissa_bits; }
  int width() const { return format.width(); }
};
FloatParams MakeFloatParams(FloatFormat format, float scale);

// The reciprocal of a power of two is exact, and so x * inverse is x / scale, correctly rounded like the division.
inline bool HasExactInverse(float scale) { return (FloatBits(scale) & 0x007fffffu) == 0; }

// Tables move bytes within a whole vector of 16 codes, or within each of two blocks of 4 codes and 16 bytes. A block's
// part of the stream starts in its first byte; if the width is odd, the second block of four shares it with the first.
constexpr size_t kTableBytes = 64;
constexpr uint8_t kNoByte = 0x80;  // in a byte table: zero

// A unit is a code in a lane of 4 bytes, or a pair of codes in one of 8. Each is shifted left, then its bytes go where
// the tables say. Neighbouring units share bytes of the stream, so even and odd ones are moved separately and joined by
// OR.
struct PackTable {
  alignas(kTableBytes) uint8_t shift[kTableBytes];  // one little-endian number per lane
  alignas(kTableBytes) uint8_t even[kTableBytes];   // for each byte of the stream: index in the block, or kNoByte
  alignas(kTableBytes) uint8_t odd[kTableBytes];
};
PackTable MakePackTable(int width, bool pairs, int block_codes);

// The four bytes that hold a code move into its lane, where it is shifted right.
struct UnpackTable {
  alignas(kTableBytes) uint32_t shift[kTableBytes / 4];
  alignas(
      kTableBytes) uint8_t bytes[kTableBytes];  // for each byte of the lanes: index in the block's part of the stream
};
UnpackTable MakeUnpackTable(int width, int block_codes);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_
