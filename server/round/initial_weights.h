// Asking clients for the initial weights, one after the other until one has delivered.
#ifndef THINWIRE_SERVER_ROUND_INITIAL_WEIGHTS_H_
#define THINWIRE_SERVER_ROUND_INITIAL_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/round/events.h"
#include "server/round/records.h"

namespace thinwire {

// Not thread-safe.
class InitialWeights {
 public:
  // `given`: assignments ever given before a restart.
  void Restore(uint32_t given) { given_ = given; }
  void Restore(const AssignmentRecord& record) { open_ = record; }

  // Whom to ask next: the longest waiting one that has not failed at it, else the longest waiting one.
  std::optional<std::string> Choose(const std::vector<std::string>& waiting_by_arrival) const;
  const AssignmentRecord& Ask(const std::string& client);
  // True if it was asked for: the weights are to be published.
  bool Receive(const std::string& id);
  // The weights are published.
  void Finish() { open_.reset(); }
  // Ends the assignment under way without weights; kFailed counts as a failure. There must be one.
  Settle End(AssignmentState state, const std::string& reason);

  const AssignmentRecord* open() const { return open_.has_value() ? &*open_ : nullptr; }
  bool received() const { return open_.has_value() && open_->state == AssignmentState::kReceived; }
  // The assignment under way if it is this client's and still without weights, else nullptr.
  const AssignmentRecord* TrainingOf(const std::string& client) const;
  uint32_t failures() const { return failures_; }
  const std::string& last_failure() const { return last_failure_; }

 private:
  uint32_t given_ = 0;
  uint32_t failures_ = 0;
  std::string last_failure_;
  std::optional<AssignmentRecord> open_;
  std::set<std::string> failed_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_INITIAL_WEIGHTS_H_
