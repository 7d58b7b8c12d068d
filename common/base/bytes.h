// Little-endian integers and floats in byte strings, whatever the machine's order.
#ifndef THINWIRE_COMMON_BASE_BYTES_H_
#define THINWIRE_COMMON_BASE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace thinwire {

template <typename T>
void StoreLittle(T value, void* out) {
  static_assert(std::is_unsigned<T>::value, "store the bit pattern of an unsigned type");
  auto* bytes = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
}

template <typename T>
T LoadLittle(const void* in) {
  static_assert(std::is_unsigned<T>::value, "load the bit pattern of an unsigned type");
  const auto* bytes = static_cast<const uint8_t*>(in);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | (static_cast<T>(bytes[i]) << (8 * i)));
  return value;
}

template <typename T>
void AppendLittle(T value, std::string* out) {
  char bytes[sizeof(T)];
  StoreLittle(value, bytes);
  out->append(bytes, sizeof(T));
}

inline uint32_t FloatBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_BYTES_H_
