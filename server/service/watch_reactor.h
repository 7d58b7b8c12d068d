// Control.WatchStatus: the status now and at each change.
#ifndef THINWIRE_SERVER_SERVICE_WATCH_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_WATCH_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>

#include "common/base/mutex.h"
#include "server/service/status_board.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

// A watcher that is slower than the changes skips to the newest. Deletes itself in OnDone.
class WatchReactor final : public grpc::ServerWriteReactor<v1::WatchStatusResponse> {
 public:
  explicit WatchReactor(StatusBoard* board) : board_(board) {}
  // Call once, after construction.
  void Begin();

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnSnapshot(std::shared_ptr<const StatusSnapshot> snapshot);
  void WriteLocked() TW_REQUIRES(mutex_);
  void FinishLocked(const grpc::Status& status) TW_REQUIRES(mutex_);

  StatusBoard* const board_;
  uint64_t watch_ = 0;
  Mutex mutex_;
  bool writing_ TW_GUARDED_BY(mutex_) = false;
  bool finished_ TW_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const StatusSnapshot> newest_ TW_GUARDED_BY(mutex_);
  std::shared_ptr<const StatusSnapshot> sent_ TW_GUARDED_BY(mutex_);
  v1::WatchStatusResponse response_;  // of the write under way
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_WATCH_REACTOR_H_
