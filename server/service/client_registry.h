// The clients that have joined this process, and their leases. It lives in memory: after a restart clients join again.
#ifndef THINWIRE_SERVER_SERVICE_CLIENT_REGISTRY_H_
#define THINWIRE_SERVER_SERVICE_CLIENT_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/codec/coding_report.h"
#include "common/tensor/model_spec.h"
#include "server/round/events.h"

namespace thinwire {

// What is known of a client's link, and how it used it last.
struct ClientLink {
  uint64_t bits_per_second = 0;  // as the client says; 0: not known
  uint64_t granted_bits = 0;     // for its newest upload under a budget
  // Of its newest update.
  uint64_t payload_bits = 0;
  double bits_per_parameter = 0;  // of the model's trainable ones
  CodingReport coding;
};

struct ClientInfo {
  std::string id;
  Role role = Role::kTrainer;
  uint64_t examples = 0;                   // the most that one of its updates may weigh
  std::shared_ptr<const ModelSpec> model;  // nullptr: takes whatever model the run has
  bool told_model = false;                 // the answer to its Join carried the run's model
  std::string software;
  std::string activity;  // as of its last heartbeat
  Monotonic last_seen;   // set by the registry
  ClientLink link;       // kept by the registry when the client joins again
};

// Thread-safe.
class ClientRegistry {
 public:
  explicit ClientRegistry(absl::Duration lease) : lease_(lease) {}

  // Joins, or joins again; the newest word counts.
  void Put(ClientInfo info, Monotonic now);
  // A client that holds work from before a restart: until it joins, only its lease is known.
  void Expect(const std::string& id, Monotonic now);
  // Renews the lease; false if the client has not joined.
  bool Touch(const std::string& id, Monotonic now);
  bool SetActivity(const std::string& id, const std::string& activity, Monotonic now);
  // Changes what is known of a client that has joined.
  void UpdateLink(const std::string& id, absl::FunctionRef<void(ClientLink*)> update);
  std::optional<ClientInfo> Find(const std::string& id) const;
  // The role that its bytes are counted under; a stranger's count as a trainer's.
  Role RoleOf(const std::string& id) const;
  void Remove(const std::string& id);
  std::vector<ClientInfo> Joined() const;
  // At most `limit` of those whose id comes after `after`, by id.
  std::vector<ClientInfo> JoinedAfter(const std::string& after, size_t limit) const;

  size_t live(Role role) const;
  // No lease ends before this; InfiniteDuration without leases.
  Monotonic NextExpiry() const;
  // Removes and returns those silent for the whole lease.
  std::vector<std::string> TakeExpired(Monotonic now);

 private:
  struct Entry {
    ClientInfo info;
    bool joined = false;
  };
  void RemoveLocked(std::map<std::string, Entry>::iterator it) TW_REQUIRES(mutex_);
  size_t& LiveLocked(Role role) TW_REQUIRES(mutex_) { return role == Role::kTrainer ? trainers_ : evaluators_; }

  const absl::Duration lease_;
  mutable Mutex mutex_;
  std::map<std::string, Entry> entries_ TW_GUARDED_BY(mutex_);
  size_t trainers_ TW_GUARDED_BY(mutex_) = 0;
  size_t evaluators_ TW_GUARDED_BY(mutex_) = 0;
  // A lower bound: signs of life only move leases back, so looking through all entries is due no earlier than this.
  Monotonic next_expiry_ TW_GUARDED_BY(mutex_) = absl::InfiniteDuration();
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_CLIENT_REGISTRY_H_
