// A fixed number of threads that run tasks from one bounded queue.
#ifndef THINWIRE_COMMON_BASE_WORKER_POOL_H_
#define THINWIRE_COMMON_BASE_WORKER_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe. With one thread it is a serial executor: tasks run one after another in the order they were added.
class WorkerPool {
 public:
  // `max_queue`: tasks that may wait; more are refused.
  WorkerPool(int threads, size_t max_queue);
  // Runs every task already queued, then joins.
  ~WorkerPool();

  // False if the queue is full or the pool is shutting down: the caller answers RESOURCE_EXHAUSTED or drops the work.
  [[nodiscard]] bool TryRun(std::function<void()> task);
  // As TryRun, but past the bound: for tasks whose number is bounded elsewhere. Dropped during shutdown.
  void Run(std::function<void()> task);
  // Stops admitting, runs what is queued, joins. Idempotent; not from a task.
  void Shutdown();
  size_t QueueDepth() const;

 private:
  void Loop();

  const size_t max_queue_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> queue_ TW_GUARDED_BY(mutex_);
  bool stopping_ TW_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_WORKER_POOL_H_
