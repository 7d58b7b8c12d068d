// Simulated time: what happens next, and when.
#ifndef THINWIRE_TESTS_SIMULATION_EVENT_QUEUE_H_
#define THINWIRE_TESTS_SIMULATION_EVENT_QUEUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "common/base/clock.h"

namespace thinwire {

// Actions run in the order of their times; those at the same time in the order in which they were added.
class EventQueue {
 public:
  Monotonic now() const { return now_; }
  void After(absl::Duration delay, std::function<void()> action) {
    actions_.emplace(std::make_pair(now_ + delay, added_++), std::move(action));
  }
  // False if nothing is left.
  bool RunNext() {
    if (actions_.empty()) return false;
    auto next = actions_.extract(actions_.begin());
    now_ = next.key().first;
    next.mapped()();
    return true;
  }

 private:
  Monotonic now_;
  uint64_t added_ = 0;
  std::map<std::pair<Monotonic, uint64_t>, std::function<void()>> actions_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_EVENT_QUEUE_H_
