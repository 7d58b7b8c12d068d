#include "deploy/local/exit_codes.h"

#include <cstdio>

namespace thinwire {

LauncherExit ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    case absl::StatusCode::kInvalidArgument:
      return kExitWrongUsage;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return kExitMissing;
    default:
      return kExitRunFailed;
  }
}

LauncherExit ExitCodeOfState(const std::string& state) {
  if (state == "COMPLETED") return kExitDone;
  return state == "STOPPED" ? kExitInterrupted : kExitRunFailed;
}

int ExitWithError(const char* program, const absl::Status& status, LauncherExit code) {
  std::fprintf(stderr, "%s: %s\n", program, std::string(status.message()).c_str());
  return code;
}

}  // namespace thinwire
