#include "server/service/watch_reactor.h"

#include <utility>

namespace thinwire {

void WatchReactor::Begin() {
  watch_ = board_->Watch([this](std::shared_ptr<const StatusSnapshot> snapshot) { OnSnapshot(std::move(snapshot)); });
}

void WatchReactor::OnSnapshot(std::shared_ptr<const StatusSnapshot> snapshot) {
  MutexLock lock(mutex_);
  if (finished_) return;
  if (snapshot == nullptr) {
    return FinishLocked(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is leaving: come back in a moment"));
  }
  newest_ = std::move(snapshot);
  if (!writing_) WriteLocked();
}

void WatchReactor::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (finished_) return;
  if (!ok) return FinishLocked(grpc::Status::CANCELLED);
  if (newest_ != sent_) return WriteLocked();
  if (sent_->final) FinishLocked(grpc::Status::OK);
}

void WatchReactor::OnCancel() {
  MutexLock lock(mutex_);
  if (!finished_) FinishLocked(grpc::Status::CANCELLED);
}

void WatchReactor::OnDone() {
  board_->Unwatch(watch_);
  // Whoever called Finish may still hold the lock.
  { MutexLock lock(mutex_); }
  delete this;
}

void WatchReactor::WriteLocked() {
  writing_ = true;
  sent_ = newest_;
  *response_.mutable_status() = sent_->status;
  StartWrite(&response_);
}

void WatchReactor::FinishLocked(const grpc::Status& status) {
  finished_ = true;
  Finish(status);
}

}  // namespace thinwire
