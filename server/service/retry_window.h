// What a client above a limit is told: when to come back.
#ifndef THINWIRE_SERVER_SERVICE_RETRY_WINDOW_H_
#define THINWIRE_SERVER_SERVICE_RETRY_WINDOW_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/config/config.h"

namespace thinwire {

// Adds the window in which clients come back to RESOURCE_EXHAUSTED; anything else stays as it is. The window is the one
// in Join's answer, in words, for those who have not had one.
inline absl::Status WithRetryWindow(const absl::Status& status, const ServerConfig& config) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::ResourceExhaustedError(absl::StrCat(status.message(), "; come back in ",
                                                   absl::FormatDuration(config.retry_min), " to ",
                                                   absl::FormatDuration(config.retry_max)));
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_RETRY_WINDOW_H_
