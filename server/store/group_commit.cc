#include "server/store/group_commit.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace thinwire {

absl::Status GroupCommit::Run(const Write& write) {
  Waiter self{&write, absl::OkStatus()};
  std::vector<Waiter*> batch;
  {
    MutexLock lock(mutex_);
    queue_.push_back(&self);
    while (running_ && !self.done) changed_.Wait(mutex_);
    if (self.done) return self.result;
    running_ = true;
    ++transactions_;
    batch.swap(queue_);
  }
  {
    MutexLock lock(*connection_);
    RunBatch(batch);
  }
  MutexLock lock(mutex_);
  for (Waiter* waiter : batch) waiter->done = true;
  running_ = false;
  changed_.NotifyAll();
  return self.result;
}

size_t GroupCommit::waiting() const {
  MutexLock lock(mutex_);
  return queue_.size();
}

uint64_t GroupCommit::transactions() const {
  MutexLock lock(mutex_);
  return transactions_;
}

void GroupCommit::RunBatch(const std::vector<Waiter*>& batch) {
  absl::Status all = db_->Execute("BEGIN IMMEDIATE");
  for (Waiter* waiter : batch) {
    if (!all.ok()) break;
    waiter->result = RunOne(*waiter->write);
    // Some errors (a full disk) end the whole transaction.
    if (!db_->in_transaction()) all = waiter->result.ok() ? absl::InternalError("transaction lost") : waiter->result;
  }
  if (all.ok()) all = Commit();
  if (all.ok()) return;
  for (Waiter* waiter : batch) {
    if (waiter->result.ok()) waiter->result = all;
  }
}

absl::Status GroupCommit::RunOne(const Write& write) {
  TW_RETURN_IF_ERROR(db_->Execute("SAVEPOINT one"));
  const absl::Status result = write(*db_);
  if (!db_->in_transaction()) return result;
  if (result.ok()) return db_->Execute("RELEASE one");
  TW_RETURN_IF_ERROR(db_->Execute("ROLLBACK TO one"));
  TW_RETURN_IF_ERROR(db_->Execute("RELEASE one"));
  return result;
}

absl::Status GroupCommit::Commit() {
  const absl::Status committed = db_->Execute("COMMIT");
  if (!committed.ok() && db_->in_transaction()) db_->Execute("ROLLBACK").IgnoreError();
  return committed;
}

}  // namespace thinwire
