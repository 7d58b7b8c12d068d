#include "server/service/held_calls.h"

namespace thinwire {

void HeldCalls::Enter(HeldCall call, Monotonic until) {
  Answer(call.client, absl::AbortedError("a newer AwaitAssignment of this client has replaced this one"));
  const std::string client = call.client;
  by_time_.insert({until, client});
  calls_[client] = {std::move(call), until};
}

bool HeldCalls::Answer(const std::string& client, absl::StatusOr<v1::AwaitAssignmentResponse> answer) {
  const auto it = calls_.find(client);
  if (it == calls_.end()) return false;
  Take(it).answer(std::move(answer));
  return true;
}

bool HeldCalls::Cancel(const std::string& client, uint64_t id) {
  const auto it = calls_.find(client);
  if (it == calls_.end() || it->second.call.id != id) return false;
  Take(it).answer(absl::CancelledError("the client has ended its call"));
  return true;
}

std::vector<std::string> HeldCalls::Clients() const {
  std::vector<std::string> clients;
  for (const auto& [client, entry] : calls_) clients.push_back(client);
  return clients;
}

Monotonic HeldCalls::NextExpiry() const {
  return by_time_.empty() ? absl::InfiniteDuration() : by_time_.begin()->first;
}

std::vector<std::string> HeldCalls::Expired(Monotonic now) const {
  std::vector<std::string> clients;
  for (const auto& [until, client] : by_time_) {
    if (until > now) break;
    clients.push_back(client);
  }
  return clients;
}

HeldCall HeldCalls::Take(std::map<std::string, Entry>::iterator it) {
  HeldCall call = std::move(it->second.call);
  by_time_.erase({it->second.until, call.client});
  calls_.erase(it);
  return call;
}

std::optional<HeldBasis> HeldCalls::BasisOf(const std::string& client) const {
  const auto it = calls_.find(client);
  return it == calls_.end() ? std::nullopt : it->second.call.basis;
}

std::optional<Digest> HeldCalls::ModelOf(const std::string& client) const {
  const auto it = calls_.find(client);
  return it == calls_.end() ? std::nullopt : it->second.call.model;
}

}  // namespace thinwire
