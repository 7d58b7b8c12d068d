// Numbers in memory to little-endian bytes and back: one copy where the machine has that order itself.
#ifndef THINWIRE_COMMON_CODEC_LITTLE_ENDIAN_H_
#define THINWIRE_COMMON_CODEC_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/base/bytes.h"

namespace thinwire {

// T: float or int64_t; Bits: the unsigned type of the same size.
template <typename Bits, typename T>
void StoreAllLittle(const T* values, size_t count, void* out) {
  static_assert(sizeof(Bits) == sizeof(T), "Bits has the size of T");
  if (count == 0) return;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::memcpy(out, values, count * sizeof(T));
#else
  for (size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, values + i, sizeof(T));
    StoreLittle<Bits>(bits, static_cast<uint8_t*>(out) + i * sizeof(T));
  }
#endif
}

template <typename Bits, typename T>
void LoadAllLittle(const void* in, size_t count, T* values) {
  static_assert(sizeof(Bits) == sizeof(T), "Bits has the size of T");
  if (count == 0) return;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::memcpy(values, in, count * sizeof(T));
#else
  for (size_t i = 0; i < count; ++i) {
    const Bits bits = LoadLittle<Bits>(static_cast<const uint8_t*>(in) + i * sizeof(T));
    std::memcpy(values + i, &bits, sizeof(T));
  }
#endif
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_LITTLE_ENDIAN_H_
