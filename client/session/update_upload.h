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
#include "common/base/clock.h"

namespace thinwire {

// "unknown", "partial", "received", "folded", "discarded", "failed".
const char* UpdateStateName(UpdateState state);

// Thread-compatible.
class UpdateUploader {
 public:
  using ProgressFn = std::function<void(uint64_t start, uint64_t done, uint64_t total)>;

  // `api` and `clock` must outlive it.
  UpdateUploader(FederationApi* api, const UplinkPacer& pacer, const Clock* clock)
      : api_(api), pacer_(pacer), clock_(clock) {}

  // Asks what the server holds, sends the rest, and asks again if the server's offset differs. OK: the server has the
  // update or wants it no more, as the state says (kReceived, kFolded, kDiscarded or kFailed). Errors: those of
  // FederationApi::Upload and UploadStatus (FAILED_PRECONDITION then means that the client has not joined); INTERNAL if
  // the server goes on refusing the offsets that it names itself.
  absl::StatusOr<UpdateStatus> Send(const PendingUpdate& update, const ProgressFn& progress);

  // Handed to the transport so far, over all tries.
  uint64_t bytes_sent() const { return bytes_sent_; }
  // What the link carried: payload bits of an upload over the time from its first byte to the server's receipt, the
  // mean of the newest upload's and the figure before. 0 before the first one.
  uint64_t measured_bits_per_second() const { return measured_; }

 private:
  absl::StatusOr<UpdateStatus> SendFrom(const PendingUpdate& update, uint64_t offset, const ProgressFn& progress);

  void Measure(uint64_t bytes, absl::Duration time);

  FederationApi* const api_;
  UplinkPacer pacer_;
  const Clock* const clock_;
  uint64_t bytes_sent_ = 0;
  uint64_t measured_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_UPDATE_UPLOAD_H_
