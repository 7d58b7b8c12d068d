#include "server/round/waiting_room.h"

#include <algorithm>
#include <utility>

namespace thinwire {

void WaitingRoom::Enter(const std::string& client, Role role) {
  Client& entry = known_[client];
  if (entry.place.has_value() && entry.role == role) return;
  if (entry.place.has_value()) --waiting_[Index(entry.role)];
  entry.role = role;
  entry.place = next_place_++;
  ++waiting_[Index(role)];
}

void WaitingRoom::Leave(const std::string& client) {
  const auto it = known_.find(client);
  if (it == known_.end() || !it->second.place.has_value()) return;
  --waiting_[Index(it->second.role)];
  it->second.place.reset();
}

void WaitingRoom::Forget(const std::string& client) {
  Leave(client);
  known_.erase(client);
}

bool WaitingRoom::IsWaiting(const std::string& client) const {
  const auto it = known_.find(client);
  return it != known_.end() && it->second.place.has_value();
}

std::vector<std::string> WaitingRoom::Waiting(Role role) const {
  std::vector<std::string> names;
  names.reserve(waiting(role));
  for (const auto& [name, client] : known_) {
    if (client.role == role && client.place.has_value()) names.push_back(name);
  }
  return names;
}

std::vector<std::string> WaitingRoom::WaitingByArrival(Role role) const {
  std::vector<std::string> names = Waiting(role);
  std::sort(names.begin(), names.end(), [this](const std::string& a, const std::string& b) {
    return *known_.find(a)->second.place < *known_.find(b)->second.place;
  });
  return names;
}

bool WaitingRoom::AnyKnown(Role role, const Filter& filter) const {
  for (const auto& [name, client] : known_) {
    if (client.role == role && filter(name)) return true;
  }
  return false;
}

}  // namespace thinwire
