// Exit codes of the operator's tool; --help prints them.
#ifndef THINWIRE_CLIENT_CLI_EXIT_CODES_H_
#define THINWIRE_CLIENT_CLI_EXIT_CODES_H_

#include "absl/status/status.h"

namespace thinwire {

enum class CliExit {
  kOk = 0,
  kFailed = 1,       // the server or this program failed; the message says how
  kUsage = 2,        // wrong verb, flag or value
  kUnreachable = 3,  // no answer from the server
  kNotFound = 4,     // no such file, version or round
  kBadPayload = 5,   // inspect: the file is damaged or malformed
  kRunFailed = 6,    // watch: the run ended as FAILED
  kRunEnded = 7,     // start, stop: the run has ended already
  kRefused = 8,      // the server refuses this certificate: not an operator's, revoked or expired
};

// Of what a server answered, or did not.
inline CliExit ExitFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return CliExit::kOk;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return CliExit::kUnreachable;
    case absl::StatusCode::kFailedPrecondition:
      return CliExit::kRunEnded;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return CliExit::kRefused;
    case absl::StatusCode::kNotFound:
      return CliExit::kNotFound;
    default:
      return CliExit::kFailed;
  }
}

// Of files on this machine: their errors may have the codes that a server's answers have, and mean something else.
inline CliExit ExitForFile(const absl::Status& status) {
  if (status.ok()) return CliExit::kOk;
  return absl::IsNotFound(status) ? CliExit::kNotFound : CliExit::kFailed;
}

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_EXIT_CODES_H_
