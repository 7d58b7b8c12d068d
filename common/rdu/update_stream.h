// The header in front of an update's stream, and the steps that it can name.
//   0     version u8: 1 best, 2 fast, 3 best of companded values
//   1-2   step u16: bits 30 to 15 of the step as binary32, so 9 significant bits; a normal number
//   3-    the stream; with version 3 first the 2 bytes of companding.h
// An update of no bytes stands for zeros.
#ifndef THINWIRE_COMMON_RDU_UPDATE_STREAM_H_
#define THINWIRE_COMMON_RDU_UPDATE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace thinwire {

constexpr uint8_t kBestVersion = 1, kFastVersion = 2, kCompandedVersion = 3;
constexpr size_t kUpdateHeaderSize = 3;

// A step on the wire: 0x0100 (2^-126) to 0xfeff. The next one is 0.2 to 0.4 % larger.
using StepCode = uint16_t;
constexpr StepCode kFinestStep = 0x0100, kCoarsestStep = 0xfeff;

inline double StepOf(StepCode code) { return FloatFromBits(static_cast<uint32_t>(code) << 15); }

// The largest step that is not above `step`, within the limits.
inline StepCode StepCodeOf(double step) {
  if (!(step > StepOf(kFinestStep))) return kFinestStep;
  if (step >= StepOf(kCoarsestStep)) return kCoarsestStep;
  auto code = static_cast<StepCode>(FloatBits(static_cast<float>(step)) >> 15);
  if (StepOf(code) > step) --code;  // the conversion may have rounded up
  return code;
}

struct UpdateHeader {
  uint8_t version;
  double step;
};
// Of an update that is not empty. INVALID_ARGUMENT or UNIMPLEMENTED.
absl::StatusOr<UpdateHeader> ReadUpdateHeader(absl::string_view bytes);
// The first kUpdateHeaderSize bytes.
void AppendUpdateHeader(uint8_t version, StepCode step, std::string* out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_UPDATE_STREAM_H_
