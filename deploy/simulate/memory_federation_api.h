// A session's interface to the server by calls within the process: no sockets, no messages; payloads are the same files
// in the same folders.
#ifndef THINWIRE_DEPLOY_SIMULATE_MEMORY_FEDERATION_API_H_
#define THINWIRE_DEPLOY_SIMULATE_MEMORY_FEDERATION_API_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/federation_api.h"
#include "deploy/simulate/embedded_server.h"

namespace thinwire {

// Serves a session for one turn, that is for one assignment, which was awaited before the session began: thousands of
// clients wait without a thread, and only those with work to do have a session. After the turn AwaitAssignment says
// that the run has ended, so that the session ends too; Leave and Heartbeat do nothing, for the client stays.
class MemoryFederationApi : public FederationApi {
 public:
  struct Turn {
    std::string client;
    ClientRole role = ClientRole::kTrainer;
    JoinReply joined;  // what the server said to the client's Join
    Assignment assignment;
    // The client's next AwaitAssignment, made by the driver's thread in the step in which it hears of the update: the
    // next round finds the client waiting, however threads are scheduled.
    std::function<void()> await_next;
    // Called before the server hears of the update: what the client has from now on lies in its folder.
    std::function<absl::Status()> put_away = [] { return absl::OkStatus(); };
  };

  // `server` must outlive it.
  MemoryFederationApi(EmbeddedServer* server, Turn turn) : server_(server), turn_(std::move(turn)) {}

  absl::StatusOr<JoinReply> Join(const JoinRequest&) override { return turn_.joined; }
  absl::StatusOr<AwaitReply> AwaitAssignment(const Holdings&) override;
  absl::Status Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) override;
  absl::StatusOr<UpdateStatus> Upload(const UploadRequest& request, const Source& source) override;
  absl::StatusOr<UpdateStatus> UploadStatus(const std::string& assignment_id, const Digest& payload_id) override;
  absl::Status ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) override;
  absl::Status ReportFailure(const std::string& assignment_id, const std::string& reason) override;
  absl::Status Heartbeat(const std::string&) override { return absl::OkStatus(); }
  absl::Status Leave(const std::string&) override { return absl::OkStatus(); }
  void Cancel() override { cancelled_ = true; }

  // Whether await_next was called or is about to be.
  bool awaits_next() const { return awaits_next_; }

 private:
  absl::Status CheckCancelled() const;
  absl::Status TellDriver(const std::string& assignment);
  Role role() const { return turn_.role == ClientRole::kTrainer ? Role::kTrainer : Role::kEvaluator; }

  EmbeddedServer* const server_;
  Turn turn_;
  bool given_ = false;
  bool awaits_next_ = false;
  std::atomic<bool> cancelled_{false};
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_MEMORY_FEDERATION_API_H_
