// Concurrent writes to one database share transactions, so that they share the sync at their end.
#ifndef THINWIRE_SERVER_STORE_GROUP_COMMIT_H_
#define THINWIRE_SERVER_STORE_GROUP_COMMIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "server/store/sqlite.h"

namespace thinwire {

// The first writer to come takes all who wait into one transaction; those who come meanwhile form the next. Each write
// succeeds or fails alone: it has a savepoint of its own. Thread-safe.
class GroupCommit {
 public:
  // `connection` guards `db`; both must outlive it.
  GroupCommit(Database* db, Mutex* connection) : db_(db), connection_(connection) {}

  using Write = std::function<absl::Status(Database&)>;
  // Returns once the write is committed and synced, or has failed and left no trace.
  absl::Status Run(const Write& write);

  // For tests: writers waiting for the transaction under way, and transactions so far.
  size_t waiting() const;
  uint64_t transactions() const;

 private:
  struct Waiter {
    const Write* write;
    absl::Status result;
    bool done = false;
  };
  void RunBatch(const std::vector<Waiter*>& batch);
  absl::Status RunOne(const Write& write);
  absl::Status Commit();

  Database* const db_;
  Mutex* const connection_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Waiter*> queue_ TW_GUARDED_BY(mutex_);
  bool running_ TW_GUARDED_BY(mutex_) = false;
  uint64_t transactions_ TW_GUARDED_BY(mutex_) = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_GROUP_COMMIT_H_
