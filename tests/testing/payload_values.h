// Payloads with a value that no encoder writes.
#ifndef THINWIRE_TESTS_TESTING_PAYLOAD_VALUES_H_
#define THINWIRE_TESTS_TESTING_PAYLOAD_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/digest.h"
#include "common/codec/frame.h"
#include "common/codec/payload.h"

namespace thinwire {

// `bytes` with the bits of `value` as value `index` of the payload's first segment, which is FP32, and all checksums
// made right. Returns the reference of what it has become.
inline PayloadRef PlantValue(const PayloadRef& ref, size_t index, float value, std::string* bytes) {
  constexpr size_t kCrcAt = kFrameHeaderSize - 4;
  Manifest manifest = ParseManifest(bytes->substr(0, ref.manifest_size)).value();
  std::string frame = bytes->substr(ref.manifest_size, manifest.segments[0].size);
  StoreLittle<uint32_t>(FloatBits(value), &frame[kFrameHeaderSize + 4 * index]);
  const uint32_t crc = Crc32c(frame.substr(kFrameHeaderSize), Crc32c(frame.substr(0, kCrcAt)));
  StoreLittle<uint32_t>(crc, &frame[kCrcAt]);
  manifest.segments[0].sha256 = Sha256(frame);
  const std::string head = EncodeManifest(manifest);
  *bytes = head + frame + bytes->substr(ref.manifest_size + frame.size());
  return {Sha256(head), ref.total_size, ref.manifest_size};
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_PAYLOAD_VALUES_H_
