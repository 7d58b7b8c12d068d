#include "server/round/evaluations.h"

#include "absl/strings/str_cat.h"

namespace thinwire {

void Evaluations::Add(uint64_t version) {
  if (every_ == 0 || (version % every_ != 0 && version != last_)) return;
  due_.try_emplace(version);
  for (auto it = due_.begin(); due_.size() > max_due_ && it != due_.end();) {
    it = it->second.under_way ? std::next(it) : due_.erase(it);
  }
}

bool Evaluations::Restore(const AssignmentRecord& record) {
  const bool open = record.state == AssignmentState::kTraining;
  const auto it = due_.find(record.version);
  if (it == due_.end()) return !open;
  it->second.given.insert(record.id);
  if (record.state == AssignmentState::kFailed) it->second.failed_by.insert(record.client);
  if (!open) return true;
  const AssignmentRecord* const same = FindOf(record.client);
  if (same != nullptr && same->id == record.id) return true;
  if (it->second.under_way || same != nullptr) return false;
  it->second.under_way = true;
  open_.emplace(record.client, record);
  return true;
}

std::optional<uint64_t> Evaluations::NextFor(const std::string& client) const {
  for (const auto& [version, due] : due_) {
    if (!due.under_way && due.failed_by.count(client) == 0) return version;
  }
  return std::nullopt;
}

const AssignmentRecord& Evaluations::Start(const std::string& client, uint64_t version) {
  Due& due = due_[version];
  due.under_way = true;
  const std::string attempt = due.given.empty() ? "" : absl::StrCat(".", due.given.size() + 1);
  AssignmentRecord& record = open_[client];
  record.id = absl::StrCat("e", version, attempt, "-", client);
  record.client = client;
  record.kind = WorkKind::kEvaluate;
  record.version = version;
  due.given.insert(record.id);
  return record;
}

bool Evaluations::Finish(const std::string& id) {
  const AssignmentRecord* const record = Find(id);
  if (record == nullptr) return false;
  const std::string client = record->client;
  due_.erase(record->version);
  open_.erase(client);
  return true;
}

std::optional<Settle> Evaluations::Fail(const std::string& id, const std::string& reason) {
  const AssignmentRecord* const record = Find(id);
  if (record == nullptr) return std::nullopt;
  const std::string client = record->client;
  due_[record->version].failed_by.insert(client);
  return End(client, AssignmentState::kFailed, reason);
}

std::optional<Settle> Evaluations::Drop(const std::string& client, const std::string& reason) {
  return End(client, AssignmentState::kDropped, reason);
}

std::optional<Settle> Evaluations::End(const std::string& client, AssignmentState state, const std::string& reason) {
  const auto it = open_.find(client);
  if (it == open_.end()) return std::nullopt;
  const Settle settle = {it->second.id, state, reason, false};
  due_[it->second.version].under_way = false;
  open_.erase(it);
  return settle;
}

std::vector<Settle> Evaluations::Abandon(const std::string& reason) {
  std::vector<Settle> settles;
  while (!open_.empty()) {
    settles.push_back(*End(open_.begin()->first, AssignmentState::kDiscarded, reason));
  }
  due_.clear();
  return settles;
}

const AssignmentRecord* Evaluations::Find(const std::string& id) const {
  for (const auto& [client, record] : open_) {
    if (record.id == id) return &record;
  }
  return nullptr;
}

const AssignmentRecord* Evaluations::FindOf(const std::string& client) const {
  const auto it = open_.find(client);
  return it == open_.end() ? nullptr : &it->second;
}

std::vector<uint64_t> Evaluations::DueVersions() const {
  std::vector<uint64_t> versions;
  for (const auto& [version, due] : due_) versions.push_back(version);
  return versions;
}

absl::Status Evaluations::CheckInvariants() const {
  std::set<uint64_t> busy;
  for (const auto& [client, record] : open_) {
    const auto due = due_.find(record.version);
    if (record.client != client || due == due_.end() || !due->second.under_way) {
      return absl::InternalError(absl::StrCat("evaluation ", record.id, " is not of a due version"));
    }
    if (!busy.insert(record.version).second) {
      return absl::InternalError(absl::StrCat("version ", record.version, " is evaluated twice at once"));
    }
  }
  for (const auto& [version, due] : due_) {
    if (due.under_way && busy.count(version) == 0) {
      return absl::InternalError(absl::StrCat("nobody evaluates version ", version));
    }
  }
  return absl::OkStatus();
}

}  // namespace thinwire
