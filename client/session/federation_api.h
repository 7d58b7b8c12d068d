// What a session asks of a server, as plain structs: implemented over gRPC (client/rpc) and in memory (tests,
// simulator). proto/thinwire/v1/federation.proto explains the fields, the order of calls and the errors.
#ifndef THINWIRE_CLIENT_SESSION_FEDERATION_API_H_
#define THINWIRE_CLIENT_SESSION_FEDERATION_API_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/session/trainer.h"
#include "common/codec/coding_report.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

enum class ClientRole { kTrainer, kEvaluator };

struct RetryWindow {
  absl::Duration min = absl::Milliseconds(200);
  absl::Duration max = absl::Seconds(5);
};

struct JoinRequest {
  std::string client_id;
  ClientRole role = ClientRole::kTrainer;
  uint64_t examples = 0;
  std::optional<ModelSpec> model;
  bool subspace = false;  // can take work in a subspace
};

struct JoinReply {
  std::string run_name;
  uint64_t run_seed = 0;
  uint32_t max_chunk_bytes = 0;
  ExchangePlan plan;
  absl::Duration heartbeat_interval;
  RetryWindow retry;
  std::optional<ModelSpec> model;
  std::optional<uint64_t> initial_seed;  // of the run's initial weights, if they are drawn
};

enum class AssignmentKind { kInitialize, kTrain, kEvaluate };

// Mirrors thinwire.v1.SubspaceWork, where the fields are explained.
struct SubspaceWork {
  HeldBasis basis;
  uint64_t first_epoch = 0;
  std::optional<PayloadRef> snapshot;
  uint32_t vector = 0;
  Digest base_id;
};

// Mirrors thinwire.v1.ModelChanges.
struct ModelChanges {
  PayloadRef payload;
  uint64_t entries = 0;
};

struct Assignment {
  std::string id;
  AssignmentKind kind = AssignmentKind::kTrain;
  uint32_t round = 0;
  uint64_t version = 0;
  PayloadRef model;
  std::optional<PayloadRef> frozen;
  std::optional<ModelSpec> spec;
  TrainingOptions training;
  uint64_t seed = 0;
  uint64_t upload_bits = 0;  // the most that an upload under a budget may have; 0: as the plan says
  absl::Duration time_left;
  std::optional<SubspaceWork> subspace = std::nullopt;
  std::optional<ModelChanges> changes = std::nullopt;
};

// What a client says when it asks for work: what it has already, so that it need not be sent, and what it can send.
struct Holdings {
  std::optional<HeldBasis> basis;       // in a subspace
  std::optional<Digest> model;          // the payload of an older version, where changes are sent
  uint64_t uplink_bits_per_second = 0;  // that its link was measured to carry, or it paces itself to; 0: not known
};

struct RunEnded {
  std::string state;
  std::string reason;
};

struct ComeBack {
  RetryWindow retry;
  std::string waiting_for;
};

using AwaitReply = std::variant<Assignment, ComeBack, RunEnded>;

enum class UpdateState { kUnknown, kPartial, kReceived, kFolded, kDiscarded, kFailed };

struct UploadRequest {
  std::string assignment_id;
  PayloadRef payload;
  uint64_t offset = 0;
  uint64_t examples = 0;
  double train_loss = 0;
  absl::Duration train_time;
  CodingReport coding;
};

struct UpdateStatus {
  UpdateState state = UpdateState::kUnknown;
  uint64_t received_bytes = 0;
  std::string reason;
};

// Thread-safe: Heartbeat is called from its own thread while another call is under way. Every call has a deadline of
// its own. The implementation knows the client's id.
class FederationApi {
 public:
  // Takes the next bytes; an error ends the download and is returned from it.
  using Sink = std::function<absl::Status(absl::string_view)>;
  // Fills `out` with bytes from `offset` on, at most `max`; called until the payload is sent.
  using Source = std::function<absl::Status(uint64_t offset, size_t max, std::string* out)>;

  virtual ~FederationApi() = default;
  virtual absl::StatusOr<JoinReply> Join(const JoinRequest& request) = 0;
  virtual absl::StatusOr<AwaitReply> AwaitAssignment(const Holdings& holdings) = 0;
  virtual absl::Status Download(const PayloadRef& payload, uint64_t offset, const Sink& sink) = 0;
  // OK means durable; the state is kReceived, or the final one of an earlier upload for this assignment.
  virtual absl::StatusOr<UpdateStatus> Upload(const UploadRequest& request, const Source& source) = 0;
  virtual absl::StatusOr<UpdateStatus> UploadStatus(const std::string& assignment_id, const Digest& payload_id) = 0;
  virtual absl::Status ReportEvaluation(const std::string& assignment_id, const EvaluateResult& result) = 0;
  virtual absl::Status ReportFailure(const std::string& assignment_id, const std::string& reason) = 0;
  virtual absl::Status Heartbeat(const std::string& activity) = 0;
  virtual absl::Status Leave(const std::string& reason) = 0;
  // Ends calls under way with CANCELLED, and every later call too except Leave, so that a stop cannot slip between two
  // calls. From any thread.
  virtual void Cancel() = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_FEDERATION_API_H_
