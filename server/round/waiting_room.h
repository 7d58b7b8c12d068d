// Which clients are known, and which of them are waiting for work right now.
#ifndef THINWIRE_SERVER_ROUND_WAITING_ROOM_H_
#define THINWIRE_SERVER_ROUND_WAITING_ROOM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/round/events.h"

namespace thinwire {

// Not thread-safe. A client is known from its first wait until it is gone.
class WaitingRoom {
 public:
  using Filter = std::function<bool(const std::string& client)>;

  // It waits; one that is waiting already keeps its place.
  void Enter(const std::string& client, Role role);
  // It got work, or its call ended; it stays known.
  void Leave(const std::string& client);
  void Forget(const std::string& client);

  bool IsWaiting(const std::string& client) const;
  size_t waiting(Role role) const { return waiting_[Index(role)]; }
  // Sorted by name.
  std::vector<std::string> Waiting(Role role) const;
  // In the order of arrival.
  std::vector<std::string> WaitingByArrival(Role role) const;
  // Whether any known client of that role, waiting or not, passes the filter.
  bool AnyKnown(Role role, const Filter& filter) const;

 private:
  struct Client {
    Role role = Role::kTrainer;
    std::optional<uint64_t> place;  // in the order of arrival; none: not waiting
  };
  static size_t Index(Role role) { return role == Role::kTrainer ? 0 : 1; }

  std::map<std::string, Client> known_;
  std::array<size_t, 2> waiting_{};
  uint64_t next_place_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_WAITING_ROOM_H_
