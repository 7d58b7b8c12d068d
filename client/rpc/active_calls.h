// The calls under way on a connection, so that all of them can be cancelled at once.
#ifndef THINWIRE_CLIENT_RPC_ACTIVE_CALLS_H_
#define THINWIRE_CLIENT_RPC_ACTIVE_CALLS_H_

#include <grpcpp/client_context.h>

#include <set>

#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe.
class ActiveCalls {
 public:
  // A call from its preparation to its end. Must not outlive `calls` or `context`.
  class Scope {
   public:
    Scope(ActiveCalls* calls, grpc::ClientContext* context) : calls_(calls), context_(context) {
      MutexLock lock(calls_->mutex_);
      calls_->contexts_.insert(context_);
      // A context that is cancelled before its call begins ends the call at once.
      if (calls_->cancelled_) context_->TryCancel();
    }
    ~Scope() {
      MutexLock lock(calls_->mutex_);
      calls_->contexts_.erase(context_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    ActiveCalls* const calls_;
    grpc::ClientContext* const context_;
  };

  // Cancels the calls under way and every later one.
  void CancelAll() {
    MutexLock lock(mutex_);
    cancelled_ = true;
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }

 private:
  Mutex mutex_;
  std::set<grpc::ClientContext*> contexts_ TW_GUARDED_BY(mutex_);
  bool cancelled_ TW_GUARDED_BY(mutex_) = false;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_ACTIVE_CALLS_H_
