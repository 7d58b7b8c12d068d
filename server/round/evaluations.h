// Which versions are due for evaluation, and who evaluates which.
#ifndef THINWIRE_SERVER_ROUND_EVALUATIONS_H_
#define THINWIRE_SERVER_ROUND_EVALUATIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/round/events.h"
#include "server/round/records.h"
#include "server/round/round_options.h"

namespace thinwire {

// Not thread-safe. Due are version 0, every evaluate_every-th and the last one. A due version is evaluated by one
// client; if that one goes, by the next; one that fails at it is not asked again for that version. Assignments are
// called "e<version>-<client>", from the second of a version on "e<version>.<n>-<client>": an id is given once.
class Evaluations {
 public:
  explicit Evaluations(const RoundOptions& options)
      : every_(options.evaluate_every), last_(options.rounds), max_due_(options.max_unevaluated) {}

  // Takes the version up if it is due.
  void Add(uint64_t version);
  // An assignment from before a restart, whatever its state. False if it is not final and its version is not due (any
  // more).
  bool Restore(const AssignmentRecord& record);

  // The lowest due version that nobody is evaluating and this client has not failed at.
  std::optional<uint64_t> NextFor(const std::string& client) const;
  // Gives the client that version.
  const AssignmentRecord& Start(const std::string& client, uint64_t version);
  // True if it was under way; the version is done.
  bool Finish(const std::string& id);
  // The client failed at it, or is gone. Nothing if it is not under way.
  std::optional<Settle> Fail(const std::string& id, const std::string& reason);
  std::optional<Settle> Drop(const std::string& client, const std::string& reason);
  // Gives up all that is due; returns how those under way are settled.
  std::vector<Settle> Abandon(const std::string& reason);

  const AssignmentRecord* Find(const std::string& id) const;
  const AssignmentRecord* FindOf(const std::string& client) const;
  size_t due() const { return due_.size(); }
  size_t under_way() const { return open_.size(); }
  std::vector<uint64_t> DueVersions() const;
  // INTERNAL if a version is evaluated twice at once, or a client has two.
  absl::Status CheckInvariants() const;

 private:
  struct Due {
    bool under_way = false;
    std::set<std::string> given;      // ids
    std::set<std::string> failed_by;  // clients
  };
  std::optional<Settle> End(const std::string& client, AssignmentState state, const std::string& reason);

  const uint64_t every_;
  const uint64_t last_;
  const size_t max_due_;
  std::map<uint64_t, Due> due_;
  std::map<std::string, AssignmentRecord> open_;  // by client
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_EVALUATIONS_H_
