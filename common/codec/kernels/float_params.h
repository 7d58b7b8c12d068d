// What the vector kernels of the float codec need to know of a format: constants of the arithmetic, and byte tables
// that move bits into place. Computed once per call, in plain C++.
#ifndef THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_
#define THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/codec/codec_spec.h"

namespace thinwire {

// Wider codes do not fit a 32-bit lane beside the up to 7 bits before them; they are left to the scalar kernels.
constexpr int kMaxVectorWidth = 25;

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

  int dropped() const { return 23 - format.mantissa_bits; }
  int width() const { return format.width(); }
};
FloatParams MakeFloatParams(FloatFormat format, float scale);

constexpr uint8_t kNoByte = 0x80;  // in a byte table: zero

// Packing works on pairs of codes in 64-bit lanes. A group starts at a byte of the stream plus `first_bit` bits; pair k
// of the group is shifted left by shift[k], and its bytes go where the tables say. Neighbouring pairs share bytes of
// the stream, so even and odd pairs are moved separately and joined by OR. Sized for 64-byte vectors.
struct PackTable {
  std::array<uint64_t, 8> shift{};
  std::array<uint8_t, 64> even{};  // for each byte of the stream: index among the vector's bytes, or kNoByte
  std::array<uint8_t, 64> odd{};
};
PackTable MakePackTable(int width, int first_bit, int pairs);

// Unpacking moves the four bytes that hold a code into a 32-bit lane, where the code is shifted right by shift[i].
struct UnpackTable {
  std::array<uint32_t, 16> shift{};
  std::array<uint8_t, 64> bytes{};  // for each byte of the lanes: index among the stream's bytes from the group's first
};
UnpackTable MakeUnpackTable(int width, int first_bit, int codes);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_KERNELS_FLOAT_PARAMS_H_
