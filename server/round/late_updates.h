// Updates that become durable at the very moment their assignment is settled without them.
#ifndef THINWIRE_SERVER_ROUND_LATE_UPDATES_H_
#define THINWIRE_SERVER_ROUND_LATE_UPDATES_H_

#include <map>
#include <optional>
#include <string>

#include "server/round/events.h"

namespace thinwire {

// Remembers how assignments were settled whose update had not come, in this round and the one before, so that an
// UpdateReceived already on its way can be answered: its journal row and files still wait to be settled. Not
// thread-safe.
class LateUpdates {
 public:
  void Remember(const Settle& settle) {
    if (!settle.received) current_[settle.assignment] = settle;
  }

  void NextRound() {
    previous_ = std::move(current_);
    current_.clear();
  }
  // How to settle the assignment now that its update is there; nothing for one that is not remembered.
  std::optional<Settle> Take(const std::string& assignment) {
    for (auto* generation : {&current_, &previous_}) {
      const auto it = generation->find(assignment);
      if (it == generation->end()) continue;
      Settle settle = std::move(it->second);
      settle.received = true;
      generation->erase(it);
      return settle;
    }
    return std::nullopt;
  }

 private:
  std::map<std::string, Settle> current_;
  std::map<std::string, Settle> previous_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_LATE_UPDATES_H_
