// A server in memory that does what a test's script says, and keeps count of every byte.
#ifndef THINWIRE_TESTS_UNIT_SESSION_FAKE_FEDERATION_H_
#define THINWIRE_TESTS_UNIT_SESSION_FAKE_FEDERATION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/session/federation_api.h"
#include "common/base/mutex.h"

namespace thinwire {

// Thread-safe, since heartbeats come from a thread of their own; the public fields are set before and read after.
class FakeFederation : public FederationApi {
 public:
  // A call that fails: after `bytes` have passed, for Download and Upload.
  struct Fault {
    absl::Status status;
    uint64_t bytes = 0;
  };

  // ---- The script -------------------------------------------------------------------------------------------------
  JoinReply join;
  std::deque<AwaitReply> answers;                   // of AwaitAssignment; when used up: the run has completed
  std::map<std::string, std::deque<Fault>> faults;  // by the call's name, in order of use
  std::map<std::string, UpdateStatus> verdicts;     // final states by assignment
  std::map<Digest, std::string> payloads;           // to be downloaded
  std::function<void()> on_heartbeat;
  std::function<void(const std::string&)> on_call;
  size_t chunk = 1000;

  // ---- The record -------------------------------------------------------------------------------------------------
  std::vector<std::string> calls;  // names, heartbeats left out
  std::vector<uint64_t> download_offsets, upload_offsets;
  std::map<std::string, std::string> uploads;  // bytes held, by assignment
  std::map<std::string, UploadRequest> upload_headers;
  uint64_t bytes_down = 0, bytes_up = 0;
  std::vector<JoinRequest> joins;
  std::vector<std::optional<HeldBasis>> bases;  // as each AwaitAssignment said
  std::vector<std::optional<Digest>> models;
  std::vector<uint64_t> uplinks;
  std::map<std::string, EvaluateResult> evaluations;
  std::map<std::string, std::string> failures;
  std::vector<std::string> activities;
  bool cancelled = false;
  std::string leave_reason;

  absl::StatusOr<JoinReply> Join(const JoinRequest& request) override {
    if (auto error = Enter("Join")) return *error;
    MutexLock lock(mutex_);
    joins.push_back(request);
    return join;
  }

  absl::StatusOr<AwaitReply> AwaitAssignment(const Holdings& holdings) override {
    bases.push_back(holdings.basis);
    models.push_back(holdings.model);
    uplinks.push_back(holdings.uplink_bits_per_second);
    if (auto error = Enter("AwaitAssignment")) return *error;
    MutexLock lock(mutex_);
    if (answers.empty()) return AwaitReply(RunEnded{"COMPLETED", ""});
    AwaitReply answer = answers.front();
    answers.pop_front();
    return answer;
  }

  absl::Status Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) override {
    const std::optional<Fault> fault = Begin("Download");
    if (fault && fault->bytes == 0) return fault->status;
    const auto found = payloads.find(payload.id);
    if (found == payloads.end()) return absl::NotFoundError("no such payload");
    if (offset > found->second.size()) return absl::OutOfRangeError("beyond the payload");
    download_offsets.push_back(offset);
    const uint64_t end = fault ? std::min<uint64_t>(offset + fault->bytes, found->second.size()) : found->second.size();
    while (offset < end) {
      const std::string data = found->second.substr(offset, std::min<uint64_t>(chunk, end - offset));
      bytes_down += data.size();
      offset += data.size();
      const absl::Status taken = sink(data);
      if (!taken.ok()) return taken;
    }
    return fault ? fault->status : absl::OkStatus();
  }

  absl::StatusOr<UpdateStatus> Upload(const UploadRequest& request, const Source& source) override {
    const std::optional<Fault> fault = Begin("Upload");
    if (fault && fault->bytes == 0) return fault->status;
    upload_headers[request.assignment_id] = request;
    std::string& held = uploads[request.assignment_id];
    if (request.offset != held.size()) return absl::FailedPreconditionError("another offset is held");
    upload_offsets.push_back(request.offset);
    const uint64_t end = fault ? held.size() + fault->bytes : request.payload.total_size;
    while (held.size() < std::min(end, request.payload.total_size)) {
      std::string data;
      const absl::Status read = source(held.size(), std::min<uint64_t>(chunk, end - held.size()), &data);
      if (!read.ok()) return read;
      bytes_up += data.size();
      held += data;
    }
    if (fault) return fault->status;
    const auto verdict = verdicts.find(request.assignment_id);
    return verdict == verdicts.end() ? UpdateStatus{UpdateState::kReceived, held.size(), ""} : verdict->second;
  }

  absl::StatusOr<UpdateStatus> UploadStatus(const std::string& assignment_id, const Digest&) override {
    if (auto error = Enter("UploadStatus")) return *error;
    if (settled.count(assignment_id) > 0) return settled[assignment_id];
    const auto held = uploads.find(assignment_id);
    if (held == uploads.end()) return UpdateStatus{UpdateState::kUnknown, 0, ""};
    return UpdateStatus{UpdateState::kPartial, held->second.size(), ""};
  }
  std::map<std::string, UpdateStatus> settled;  // what UploadStatus says, if not what Upload has seen

  absl::Status ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) override {
    if (auto error = Enter("ReportEvaluation")) return *error;
    evaluations[assignment_id] = result;
    return absl::OkStatus();
  }

  absl::Status ReportFailure(const std::string& assignment_id, const std::string& reason) override {
    if (auto error = Enter("ReportFailure")) return *error;
    failures[assignment_id] = reason;
    return absl::OkStatus();
  }

  absl::Status Heartbeat(const std::string& activity) override {
    std::optional<Fault> fault;
    {
      MutexLock lock(mutex_);
      if (cancelled) return absl::CancelledError("stopped");
      activities.push_back(activity);
      fault = TakeFault("Heartbeat");
    }
    if (on_heartbeat) on_heartbeat();
    return fault ? fault->status : absl::OkStatus();
  }

  absl::Status Leave(const std::string& reason) override {
    MutexLock lock(mutex_);
    calls.push_back("Leave");
    leave_reason = reason;
    return absl::OkStatus();
  }

  void Cancel() override {
    MutexLock lock(mutex_);
    cancelled = true;
  }

  size_t Count(const std::string& name) const {
    size_t count = 0;
    for (const std::string& call : calls) count += call == name ? 1 : 0;
    return count;
  }

 private:
  std::optional<Fault> TakeFault(const std::string& name) {
    auto found = faults.find(name);
    if (found == faults.end() || found->second.empty()) return std::nullopt;
    Fault fault = found->second.front();
    found->second.pop_front();
    return fault;
  }
  std::optional<Fault> Begin(const std::string& name) {
    if (on_call) on_call(name);
    MutexLock lock(mutex_);
    calls.push_back(name);
    if (cancelled) return Fault{absl::CancelledError("stopped"), 0};
    return TakeFault(name);
  }
  std::optional<absl::Status> Enter(const std::string& name) {
    const std::optional<Fault> fault = Begin(name);
    if (!fault) return std::nullopt;
    return fault->status;
  }

  Mutex mutex_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SESSION_FAKE_FEDERATION_H_
