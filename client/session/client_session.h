// One participant's life: join, await, download, train, encode, upload, and again, until the run ends.
//
//   joining -> awaiting -> downloading -> training -> encoding -> uploading -> awaiting ...
//                       -> downloading -> evaluating -> reporting -> awaiting ...
//                       -> initializing -> encoding -> uploading -> awaiting ...
//                       -> leaving -> ended
//
// Whatever fails on the way ends in a wait, a new join or the next assignment (client/session/error_policy.h); only a
// server that refuses this client, the end of the run, a limit in the options or RequestStop ends a session.
#ifndef THINWIRE_CLIENT_SESSION_CLIENT_SESSION_H_
#define THINWIRE_CLIENT_SESSION_CLIENT_SESSION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/error_memory.h"
#include "client/session/federation_api.h"
#include "client/session/heartbeat.h"
#include "client/session/model_fetch.h"
#include "client/session/pending_update.h"
#include "client/session/session_observer.h"
#include "client/session/session_progress.h"
#include "client/session/sleeper.h"
#include "client/session/state_folder.h"
#include "client/session/step_runner.h"
#include "client/session/subspace_fetch.h"
#include "client/session/trainer.h"
#include "client/session/update_upload.h"
#include "common/base/clock.h"

namespace thinwire {

struct SessionOptions {
  ClientRole role = ClientRole::kTrainer;
  std::string server;                   // for messages
  uint64_t max_rounds = 0;              // assignments to work on, whatever becomes of them; 0: no limit
  uint32_t max_failures = 0;            // failed calls in a row before it gives up; 0: never
  uint64_t retry_seed = 0;              // of the jitter; differs from client to client
  uint64_t uplink_bits_per_second = 0;  // that uploads may take; 0: no limit
  absl::Duration progress_interval = absl::Seconds(5);
};

// Everything a session uses; all must outlive it.
struct SessionParts {
  FederationApi* api = nullptr;
  Trainer* trainer = nullptr;
  const StateFolder* state = nullptr;
  const Clock* clock = nullptr;
  Sleeper* sleeper = nullptr;            // of the session's thread
  Sleeper* heartbeat_sleeper = nullptr;  // of the heartbeat's
  SessionObserver* observer = nullptr;
};

enum class SessionEnd {
  kRunCompleted,  // completed or stopped by its operator
  kRunFailed,
  kRoundsDone,  // max_rounds
  kStopped,     // RequestStop
  kRefused,     // the server will not have this client; `reason` says why
  kGaveUp,      // max_failures
};

struct SessionSummary {
  SessionEnd end = SessionEnd::kStopped;
  std::string reason;
  uint64_t delivered = 0;   // assignments whose result the server has
  uint64_t failed = 0;      // assignments that came to nothing
  uint64_t bytes_down = 0;  // payload bytes, those of broken tries included
  uint64_t bytes_up = 0;
};

class UpdateVector;
struct CodedUpdateRequest;

// Run once, from one thread; RequestStop from any.
class ClientSession {
 public:
  ClientSession(const SessionOptions& options, const SessionParts& parts);

  SessionSummary Run();
  // Ends the wait or call under way, stops training between two steps, leaves, and lets Run return. Not
  // async-signal-safe.
  void RequestStop();

 private:
  absl::Status Join();
  void Beat();
  void AwaitAndWork();
  void Work(const Assignment& assignment);
  void Train(const Assignment& assignment);
  void Initialize(const Assignment& assignment);
  absl::StatusOr<PayloadRef> EncodeFresh(uint64_t seed, const std::string& path);
  void Evaluate(const Assignment& assignment);
  bool Fetch(const Assignment& assignment);
  bool FetchWith(const Assignment& assignment,
                 const std::function<absl::Status(const PayloadDownloader::ProgressFn&)>& fetch);
  absl::StatusOr<TrainResult> RunTrainer(const Assignment& assignment);
  absl::StatusOr<PendingUpdate> EncodeTrained(const Assignment& assignment, const TrainResult& result,
                                              absl::Duration train_time);
  // In a subspace, in session_subspace.cc.
  bool in_subspace() const { return run_.plan.subspace.has_value(); }
  absl::Status CheckSubspace() const;
  bool FetchCoordinates(const Assignment& assignment);
  absl::StatusOr<TrainResult> TrainCoordinates(TrainRequest request, const Assignment& assignment);
  absl::StatusOr<PayloadRef> EncodeCoordinates(const Assignment& assignment, const std::string& path,
                                               CodingReport* report);
  absl::StatusOr<EvaluateResult> EvaluateExpanded();
  // What need not be downloaded, in session_initial.cc.
  void DrawInitial();
  absl::Status TakeDrawn(uint64_t seed);
  Holdings Held() const;
  // Of updates of which only a part travels, in session_reduced.cc.
  absl::StatusOr<PayloadRef> EncodeReduced(const Assignment& assignment, BlockSource& trained, const std::string& path,
                                           CodingReport* report);
  absl::StatusOr<PayloadRef> EncodeCoded(const Assignment& assignment, const ModelSpec& coded,
                                         const CodedUpdateRequest& request, UpdateVector* update,
                                         const std::string& path, CodingReport* report);
  // Bits that the upload of an update of `coded` may have.
  uint64_t BudgetOf(const Assignment& assignment, const ModelSpec& coded) const;
  // Run, model and basis, whose error is of use to no other: what a new epoch's coordinates mean is new.
  Digest ErrorKey(const Assignment& assignment) const;
  // What earlier updates of this assignment's key did not send, of `count` values; nothing: zeros.
  absl::StatusOr<std::optional<BasisFile>> OpenError(const Assignment& assignment, uint64_t count);
  // Asks the server what became of the update whose error is proposed, if there is one that could count.
  StepOutcome SettleError(const Assignment& assignment);
  void Deliver(const Assignment& assignment, const PendingUpdate& update);
  void NoteVerdict(const UpdateStatus& verdict);
  // Tells the server that the assignment comes to nothing.
  void Fail(const Assignment& assignment, const absl::Status& why);
  // Nothing more is to be done for it.
  void Finish(const Assignment& assignment, bool delivered);
  // Acts on an outcome that is not kDone.
  void Abandon(const Assignment& assignment, StepOutcome outcome);
  absl::Status ChooseModel(const Assignment& assignment);
  void End(SessionEnd end, const std::string& reason);
  void EndBy(StepOutcome outcome);

  const SessionOptions options_;
  const SessionParts parts_;
  const JoinRequest join_request_;  // made once: the heartbeat joins too, while the trainer is at work
  StepRunner steps_;
  SessionProgress progress_;
  ModelFetcher model_;
  SubspaceFetcher subspace_;
  PendingUpdates pending_;
  ErrorMemory error_;
  UpdateUploader uploader_;
  Heartbeat heartbeat_;

  std::vector<float> trained_coordinates_;  // of the assignment under way
  bool drew_initial_ = false;               // in this session

  JoinReply run_;                  // what the newest join said
  std::optional<ModelSpec> spec_;  // of the run's model
  std::string last_assignment_;
  std::string finished_;  // assignment delivered or failed last
  int given_again_ = 0;   // how often since
  bool awaiting_ = false;
  bool joined_ = false;
  std::atomic<bool> join_again_{false};  // the heartbeat found the server without memory of this client
  bool ended_ = false;
  SessionSummary summary_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_CLIENT_SESSION_H_
