// The assignments of one round: who was invited and what became of it. It counts and allows lawful changes only; what
// ought to happen is decided elsewhere.
#ifndef THINWIRE_SERVER_ROUND_ROUND_LEDGER_H_
#define THINWIRE_SERVER_ROUND_ROUND_LEDGER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/round/events.h"
#include "server/round/records.h"

namespace thinwire {

// Not thread-safe.
class RoundLedger {
 public:
  RoundLedger() = default;
  RoundLedger(uint32_t round, uint64_t base_version) : round_(round), base_version_(base_version) {}

  uint32_t round() const { return round_; }
  uint64_t base_version() const { return base_version_; }

  // A new assignment in kTraining. The client has none in this round yet (see Has).
  const AssignmentRecord& Invite(const std::string& client);
  // One that the journal remembers. Received and folded ones become kReceived, to be folded (again) in this order.
  void Restore(const AssignmentRecord& record);

  // -> kReceived, from kTraining, or from kDropped or kFailed if no update had come: it was given up, and the update
  // came all the same. False, and nothing happens, otherwise.
  bool Receive(const std::string& id);
  // The next received update to fold, as long as fewer than `wanted` are folded or being folded.
  std::optional<std::string> StartFold(uint32_t wanted);
  // kReceived -> kFolded. False unless its fold is under way.
  bool FinishFold(const std::string& id);
  // To a final state other than kFolded. Nothing, if there is no such assignment or it is failed, dropped or discarded.
  std::optional<Settle> End(const std::string& id, AssignmentState state, const std::string& reason);

  const AssignmentRecord* Find(const std::string& id) const;
  bool Has(const std::string& client) const { return Find(IdOf(client)) != nullptr; }
  // The client's assignment if it is in kTraining, else nullptr.
  const AssignmentRecord* TrainingOf(const std::string& client) const;
  // Ids, sorted.
  std::vector<std::string> InState(AssignmentState state) const;

  bool empty() const { return entries_.empty(); }
  const RoundCounters& counters() const { return counters_; }
  uint32_t folds_under_way() const { return folds_under_way_; }
  uint32_t updates() const { return counters_.folding + counters_.folded; }
  // Assignments that have yielded an update or still may.
  uint32_t alive() const { return counters_.training + updates(); }

  // INTERNAL if counters and entries disagree.
  absl::Status CheckInvariants() const;

 private:
  struct Entry {
    AssignmentRecord record;
    bool received = false;
    bool fold_started = false;
  };
  std::string IdOf(const std::string& client) const;
  uint32_t& Counter(AssignmentState state);
  void Move(Entry* entry, AssignmentState state);
  Entry* FindEntry(const std::string& id);

  uint32_t round_ = 0;
  uint64_t base_version_ = 0;
  std::map<std::string, Entry> entries_;
  std::deque<std::string> unfolded_;  // received, fold not started, in the order of receipt; may hold settled ones
  RoundCounters counters_;
  uint32_t folds_under_way_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_ROUND_LEDGER_H_
