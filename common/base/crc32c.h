// CRC-32C (Castagnoli), the checksum of payload frames.
#ifndef THINWIRE_COMMON_BASE_CRC32C_H_
#define THINWIRE_COMMON_BASE_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace thinwire {

// The CRC-32C of `data`; pass an earlier result as `crc` to continue it.
uint32_t Crc32c(absl::string_view data, uint32_t crc = 0);

// The table-driven form, which is the specification. For tests.
uint32_t Crc32cPortable(absl::string_view data, uint32_t crc = 0);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_CRC32C_H_
