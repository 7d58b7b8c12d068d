#include "client/session/error_policy.h"

namespace thinwire {
namespace {

// Of errors that are neither the network's nor the server's load.
Recovery JoinRecovery(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
                 code == absl::StatusCode::kAlreadyExists
             ? Recovery::kRetry
             : Recovery::kStop;
}

Recovery AwaitRecovery(absl::StatusCode code) {
  if (code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kNotFound) return Recovery::kJoin;
  return JoinRecovery(code);
}

Recovery DownloadRecovery(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kFailedPrecondition:
      return Recovery::kJoin;
    case absl::StatusCode::kNotFound:
      return Recovery::kNewWork;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return Recovery::kRetryFew;
    default:
      return Recovery::kGiveUpWork;
  }
}

Recovery UploadRecovery(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kFailedPrecondition:
      return Recovery::kJoin;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAborted:
      return Recovery::kNewWork;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return Recovery::kRetryFew;
    default:
      return Recovery::kGiveUpWork;
  }
}

// A report that the server does not take is of no further use.
Recovery ReportRecovery(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kFailedPrecondition:
      return Recovery::kJoin;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return Recovery::kRetryFew;
    default:
      return Recovery::kNewWork;
  }
}

}  // namespace

Recovery RecoveryFor(SessionStep step, absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:  // by the other side; a session that stops does not ask this table
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnauthenticated:  // the certificate has expired; its files are read again
      return Recovery::kRetry;
    default:
      break;
  }
  switch (step) {
    case SessionStep::kJoin:
      return JoinRecovery(code);
    case SessionStep::kAwait:
      return AwaitRecovery(code);
    case SessionStep::kDownload:
      return DownloadRecovery(code);
    case SessionStep::kUpload:
      return UploadRecovery(code);
    case SessionStep::kReport:
      return ReportRecovery(code);
  }
  return Recovery::kStop;
}

}  // namespace thinwire
