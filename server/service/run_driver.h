// The serial driver of a run: the only owner of the RoundCoordinator. Feeds it events one at a time, journals what its
// effects say, then carries them out; arms the one timer.
#ifndef THINWIRE_SERVER_SERVICE_RUN_DRIVER_H_
#define THINWIRE_SERVER_SERVICE_RUN_DRIVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "server/round/round_coordinator.h"
#include "server/service/alarm.h"
#include "server/service/held_calls.h"
#include "server/service/round_work.h"
#include "server/service/run_parts.h"
#include "server/service/run_record.h"
#include "server/service/run_restore.h"

namespace thinwire {

// Called on the driver's thread; must not block.
struct RunObserver {
  // The state directory cannot be written: the driver does nothing more. What the journal holds can be resumed from.
  std::function<void(const absl::Status&)> broken = [](const absl::Status&) {};
  // The run has ended and its model is exported.
  std::function<void(RunState)> finished = [](RunState) {};
  // ... and no live client is left that has not been told.
  std::function<void()> everybody_told = [] {};
};

class RunDriver {
 public:
  // What `parts` point to must outlive the driver, except the pools: Shutdown them before the driver.
  RunDriver(const RunParts& parts, const RestoredState& restored, RunObserver observer);
  ~RunDriver();

  // ---- From any thread ----

  // Resumes the run.
  void Start();
  // From now on every call of a client is answered UNAVAILABLE, those that are held at once.
  void StopAdmitting();
  // Runs what is queued, journals the time left, joins. Idempotent.
  void Shutdown();

  // Tells the coordinator.
  void Post(Event event);
  // Runs `task` on the driver's thread. RESOURCE_EXHAUSTED, with the window to come back in, if too much is queued;
  // UNAVAILABLE if the server is leaving.
  absl::Status TryRun(std::function<void()> task);
  size_t QueueDepth() const { return mailbox_.QueueDepth(); }
  // Replies on the driver's thread, once that comes to it: OK, or why the run cannot go on. Queued past the bound; no
  // reply after Shutdown.
  void Beat(std::function<void(const absl::Status&)> reply);

  // ---- On the driver's thread only ----

  void Apply(const Event& event);
  // OK if calls are admitted; else what to answer them.
  absl::Status admission() const { return admission_; }
  // Holds the call until there is an answer. The client has joined.
  void Hold(HeldCall call);
  void CancelHeld(const std::string& client, uint64_t call);
  // The client is gone: its lease ended, or it left.
  void Forget(const std::string& client, const std::string& reason, const absl::Status& answer);
  // Counts and logs a refused request. `reason` is a class from a fixed set.
  void CountRefusal(const std::string& reason, const std::string& client, const absl::Status& status);
  // An evaluation is journaled.
  void EvaluationArrived(const EvaluationRow& evaluation, const std::string& assignment);
  // The model that uploads of this kind are of; nullptr if there is none yet.
  std::shared_ptr<const ModelSpec> ModelFor(WorkKind kind) const;
  v1::Status StatusNow() const;
  // The run is in an end state.
  bool ended() const;

 private:
  // run_driver.cc
  void Step(const std::vector<Effect>& effects);
  void AfterStep();
  void OnAlarm();
  void ExpireHolds(Monotonic now);
  void ExpireLeases(Monotonic now);
  void Checkpoint(Monotonic now);
  void Arm();
  void Break(const absl::Status& status);
  // From any thread.
  void BreakLater(const absl::Status& status);

  // run_driver_effects.cc: one per effect; the journal has been written.
  void CarryOut(const OpenRound& effect);
  void CarryOut(const Fold& effect);
  void CarryOut(const PublishInitial& effect);
  void CarryOut(const Settle& effect);
  void CarryOut(const CloseRound& effect);
  void CarryOut(const FailRound& effect);
  void CarryOut(const FinishRun& effect);
  void CarryOut(const Dismiss& effect);
  // `uploads`: those of the round's row, if a round made the version.
  void Published(const VersionRow& version, const std::vector<std::string>& consumed, const std::string& uploads = "");
  void CountUploads(const std::string& uploads);
  void GaugeBits(Direction direction, const PayloadRef& payload);
  // What the round of the newest evaluated version gained, for /metrics, if the version before was evaluated too: its
  // evaluation may be the one that came last.
  void GaugeAccuracy();
  void EvictStrangers();
  void ReleaseVersions();
  // Answers the client's call with the retry window.
  void SendBack(const std::string& client, const std::string& waiting_for);
  void Export();
  void Exported(const absl::StatusOr<std::string>& path);

  // run_driver_assign.cc
  void CarryOut(const Assign& effect);
  // Answers the client's call with its work. The payload is there, or the version gone.
  void Give(const Assign& effect);
  // What of a version the client is to be sent, and in a subspace what besides. NOT_FOUND if the version is gone.
  struct Delivery {
    uint32_t variant = 0;
    std::optional<BasisDelivery> basis;
  };
  absl::StatusOr<Delivery> DeliveryOf(const Assign& effect) const;
  void VariantMade(Assign effect, const absl::Status& made);
  absl::StatusOr<v1::Assignment> MakeAssignment(const Assign& effect) const;
  // Says of an assignment whose payload to be sent is `sent` which model that makes, if it is not one itself.
  absl::Status NameChanges(const StoredPayload& sent, v1::Assignment* assignment) const;
  v1::SubspaceWork MakeSubspaceWork(const Assign& effect, const BasisDelivery& basis) const;

  // run_driver_status.cc
  void Report(Monotonic now);
  v1::Status MakeStatus(const CoordinatorStatus& status) const;
  void LogChanges(const CoordinatorStatus& status);
  void CountCoordinatorRefusals(const CoordinatorStatus& status);
  std::string ChangeKey(const CoordinatorStatus& status) const;
  void TellObserver();

  const RunParts& parts_;
  const RunObserver observer_;

  // Of the driver's thread.
  RoundCoordinator coordinator_;
  RunRecord record_;
  HeldCalls held_;
  std::shared_ptr<RoundWork> work_;  // of the open round
  absl::Status admission_;
  bool broken_ = false;
  bool exported_ = false;
  bool told_finished_ = false;
  bool told_everybody_ = false;
  std::set<std::string> told_;  // clients that know that the run is over
  Monotonic next_checkpoint_ = absl::InfiniteDuration();
  Monotonic ticked_ = -absl::InfiniteDuration();  // the coordinator's deadline that it was last told of
  std::optional<EvaluationRow> evaluation_;       // of the newest evaluated version
  std::map<std::string, uint64_t> refusals_;      // of requests; those of assignments are the coordinator's
  std::map<std::string, uint64_t> counted_refusals_;
  std::atomic<bool> leaving_{false};  // set by any thread
  std::string last_key_;
  std::string last_waiting_;

  WorkerPool mailbox_;
  Alarm alarm_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_RUN_DRIVER_H_
