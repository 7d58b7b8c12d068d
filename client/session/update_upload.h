// One pending update to the server, resumed at the byte that the server names.
#ifndef THINWIRE_CLIENT_SESSION_UPDATE_UPLOAD_H_
#define THINWIRE_CLIENT_SESSION_UPDATE_UPLOAD_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/federation_api.h"
#include "client/session/pending_update.h"
#include "client/session/uplink_pacer.h"

namespace thinwire {

// "unknown", "partial", "received", "folded", "discarded", "failed".
const char* UpdateStateName(UpdateState state);

// Thread-compatible.
class UpdateUploader {
 public:
  using ProgressFn = std::function<void(uint64_t start, uint64_t done, uint64_t total)>;

  // `api` must outlive it.
  UpdateUploader(FederationApi* api, const UplinkPacer& pacer) : api_(api), pacer_(pacer) {}

  // Asks what the server holds, sends the rest, and asks again if the server's offset differs. OK: the server has the
  // update or wants it no more, as the state says (kReceived, kFolded, kDiscarded or kFailed). Errors: those of
  // FederationApi::Upload and UploadStatus (FAILED_PRECONDITION then means that the client has not joined); INTERNAL if
  // the server goes on refusing the offsets that it names itself.
  absl::StatusOr<UpdateStatus> Send(const PendingUpdate& update, const ProgressFn& progress);

  // Handed to the transport so far, over all tries.
  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  absl::StatusOr<UpdateStatus> SendFrom(const PendingUpdate& update, uint64_t offset, const ProgressFn& progress);

  FederationApi* const api_;
  UplinkPacer pacer_;
  uint64_t bytes_sent_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_UPDATE_UPLOAD_H_
