// What the launchers, thinwire-local and thinwire-simulate, return; their --help lists it.
#ifndef THINWIRE_DEPLOY_LOCAL_EXIT_CODES_H_
#define THINWIRE_DEPLOY_LOCAL_EXIT_CODES_H_

#include <string>

#include "absl/status/status.h"

namespace thinwire {

enum LauncherExit {
  kExitDone = 0,
  kExitRunFailed = 1,
  kExitWrongUsage = 2,
  kExitMissing = 3,  // on this machine
  kExitInterrupted = 130,
};

// For a run that has not come to its end.
LauncherExit ExitCodeOf(const absl::Status& status);
// For one that has, by its state: "COMPLETED", "STOPPED", "FAILED".
LauncherExit ExitCodeOfState(const std::string& state);

// Prints the error as `program`'s and returns `code`.
int ExitWithError(const char* program, const absl::Status& status, LauncherExit code);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_EXIT_CODES_H_
