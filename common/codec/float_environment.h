// Whether this process does binary32 arithmetic as IEEE 754 says, which the codec's bytes depend on.
#ifndef THINWIRE_COMMON_CODEC_FLOAT_ENVIRONMENT_H_
#define THINWIRE_COMMON_CODEC_FLOAT_ENVIRONMENT_H_

#include "absl/status/status.h"

namespace thinwire {

// FAILED_PRECONDITION if subnormal numbers are flushed to zero or the rounding mode is not to nearest: a library loaded
// before (often one built with -ffast-math) has changed the mode. Programs call it once at start, before they start
// threads; threads inherit the mode of the thread that starts them.
absl::Status CheckFloatEnvironment();

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_FLOAT_ENVIRONMENT_H_
