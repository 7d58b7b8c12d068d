// Whose trouble an error is.
#ifndef THINWIRE_SERVER_SERVICE_STORAGE_FAULT_H_
#define THINWIRE_SERVER_SERVICE_STORAGE_FAULT_H_

#include "absl/status/status.h"

namespace thinwire {

// The disk or the state directory is at fault, not the update or the round: what was acknowledged is not given up for
// that. A restart does the work again from the files.
inline bool IsStorageFault(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsPermissionDenied(status) || absl::IsInternal(status);
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_STORAGE_FAULT_H_
