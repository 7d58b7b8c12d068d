#include "server/service/client_registry.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace thinwire {

void ClientRegistry::Put(ClientInfo info, Monotonic now) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[info.id];
  if (entry.joined) --LiveLocked(entry.info.role);
  info.link = entry.info.link;
  entry.info = std::move(info);
  entry.joined = true;
  entry.info.last_seen = now;
  ++LiveLocked(entry.info.role);
  next_expiry_ = std::min(next_expiry_, now + lease_);
}

void ClientRegistry::Expect(const std::string& id, Monotonic now) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[id];
  if (entry.joined) return;
  entry.info.id = id;
  entry.info.last_seen = now;
  next_expiry_ = std::min(next_expiry_, now + lease_);
}

bool ClientRegistry::Touch(const std::string& id, Monotonic now) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.joined) return false;
  it->second.info.last_seen = now;
  return true;
}

bool ClientRegistry::SetActivity(const std::string& id, const std::string& activity, Monotonic now) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.joined) return false;
  it->second.info.last_seen = now;
  it->second.info.activity = activity;
  return true;
}

void ClientRegistry::UpdateLink(const std::string& id, absl::FunctionRef<void(ClientLink*)> update) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it != entries_.end() && it->second.joined) update(&it->second.info.link);
}

std::optional<ClientInfo> ClientRegistry::Find(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.joined) return std::nullopt;
  return it->second.info;
}

Role ClientRegistry::RoleOf(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  return it == entries_.end() || !it->second.joined ? Role::kTrainer : it->second.info.role;
}

void ClientRegistry::Remove(const std::string& id) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(id);
  if (it != entries_.end()) RemoveLocked(it);
}

std::vector<ClientInfo> ClientRegistry::Joined() const { return JoinedAfter("", std::numeric_limits<size_t>::max()); }

std::vector<ClientInfo> ClientRegistry::JoinedAfter(const std::string& after, size_t limit) const {
  MutexLock lock(mutex_);
  std::vector<ClientInfo> joined;
  for (auto it = entries_.upper_bound(after); it != entries_.end() && joined.size() < limit; ++it) {
    if (it->second.joined) joined.push_back(it->second.info);
  }
  return joined;
}

size_t ClientRegistry::live(Role role) const {
  MutexLock lock(mutex_);
  return role == Role::kTrainer ? trainers_ : evaluators_;
}

Monotonic ClientRegistry::NextExpiry() const {
  MutexLock lock(mutex_);
  return next_expiry_;
}

std::vector<std::string> ClientRegistry::TakeExpired(Monotonic now) {
  MutexLock lock(mutex_);
  std::vector<std::string> expired;
  if (now < next_expiry_) return expired;
  next_expiry_ = absl::InfiniteDuration();
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto here = it++;
    const Monotonic ends = here->second.info.last_seen + lease_;
    if (ends > now) {
      next_expiry_ = std::min(next_expiry_, ends);
    } else {
      expired.push_back(here->first);
      RemoveLocked(here);
    }
  }
  return expired;
}

void ClientRegistry::RemoveLocked(std::map<std::string, Entry>::iterator it) {
  if (it->second.joined) --LiveLocked(it->second.info.role);
  entries_.erase(it);
}

}  // namespace thinwire
