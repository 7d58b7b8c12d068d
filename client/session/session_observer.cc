#include "client/session/session_observer.h"

namespace thinwire {

const char* SessionStateName(SessionState state) {
  switch (state) {
    case SessionState::kJoining:
      return "joining";
    case SessionState::kAwaiting:
      return "awaiting";
    case SessionState::kDownloading:
      return "downloading";
    case SessionState::kInitializing:
      return "initializing";
    case SessionState::kTraining:
      return "training";
    case SessionState::kEvaluating:
      return "evaluating";
    case SessionState::kEncoding:
      return "encoding";
    case SessionState::kUploading:
      return "uploading";
    case SessionState::kReporting:
      return "reporting";
    case SessionState::kLeaving:
      return "leaving";
    case SessionState::kEnded:
      return "ended";
  }
  return "unknown";
}

}  // namespace thinwire
