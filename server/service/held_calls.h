// AwaitAssignment calls that are being held.
#ifndef THINWIRE_SERVER_SERVICE_HELD_CALLS_H_
#define THINWIRE_SERVER_SERVICE_HELD_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/subspace/coordinates.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// A held call. `answer` is to be called exactly once; it does not block.
struct HeldCall {
  uint64_t id = 0;  // unique in the process
  std::string client;
  std::function<void(absl::StatusOr<v1::AwaitAssignmentResponse>)> answer;
  std::optional<HeldBasis> basis = std::nullopt;  // that the client has, in a subspace
  std::optional<Digest> model = std::nullopt;     // the payload that it has
  uint64_t uplink_bits_per_second = 0;            // that its link carries; 0: not known
};

// At most one call per client. Owned by the driver's thread.
class HeldCalls {
 public:
  // Holds a call until `until`. A call of the same client that is there already is answered ABORTED.
  void Enter(HeldCall call, Monotonic until);
  // Answers the client's call; false if none is held.
  bool Answer(const std::string& client, absl::StatusOr<v1::AwaitAssignmentResponse> answer);
  // Answers the very call `id` CANCELLED; false if it is not held any more.
  bool Cancel(const std::string& client, uint64_t id);
  bool Holds(const std::string& client) const { return calls_.count(client) > 0; }
  // What the client said with the call that is held; nothing if none is.
  std::optional<HeldBasis> BasisOf(const std::string& client) const;
  std::optional<Digest> ModelOf(const std::string& client) const;
  std::vector<std::string> Clients() const;
  size_t size() const { return calls_.size(); }

  // When the oldest call's hold time ends; InfiniteDuration without calls.
  Monotonic NextExpiry() const;
  // Clients whose hold time is over. They are still held.
  std::vector<std::string> Expired(Monotonic now) const;

 private:
  struct Entry {
    HeldCall call;
    Monotonic until;
  };
  HeldCall Take(std::map<std::string, Entry>::iterator it);

  std::map<std::string, Entry> calls_;  // by client
  std::set<std::pair<Monotonic, std::string>> by_time_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_HELD_CALLS_H_
