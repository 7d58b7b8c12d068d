// The life of one run as a pure function: event and time in, effects out. No threads, locks, clock, I/O or tensors
// (after etcd-io/raft). The same events at the same times give the same effects.
//
// Run: initializing (a waiting trainer is asked for weights, unless version 0 comes from a file; one that fails, goes,
// or is slower than the deadline while others wait, is followed by the next) -> running -> evaluating (what is due, if
// an evaluator was ever seen, for final_evaluation_wait at most) -> completed; or stopped; or failed, after
// max_failed_rounds rounds (or initialisations) in a row. A stop waits for a publication under way.
//
// Round: inviting until `invited` trainers wait, or at least min_updates when invite_wait is over -> training ->
// closing -> published or failed. A failed round keeps its number and publishes nothing; the next one has the same
// base. The run goes on until `rounds` versions are published.
// - At most `clients` updates are folded, in the order of receipt. Further ones are held until these are folded, and
//   take the place of one that cannot be folded.
// - A round closes when `clients` updates are folded, or every assignment has ended with at least min_updates folded,
//   or at the deadline with at least min_updates received. What is still training then is discarded; folds are waited
//   for.
// - Lost assignments are replaced, by trainers that had none in this round, as far as min_updates needs it.
// - It fails at the deadline with fewer than min_updates, when fewer can be folded, when publishing fails, and before
//   the deadline when too few are left and nobody who could replace them is known. After a restart nobody is known yet,
//   so a resumed round waits for its deadline.
// - An update that is durable counts even if its assignment was given up meanwhile, as long as the round takes updates.
#ifndef THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_
#define THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "server/round/evaluations.h"
#include "server/round/events.h"
#include "server/round/initial_weights.h"
#include "server/round/late_updates.h"
#include "server/round/records.h"
#include "server/round/round_ledger.h"
#include "server/round/round_options.h"
#include "server/round/waiting_room.h"

namespace thinwire {

// Not thread-safe: one serial driver owns it.
class RoundCoordinator {
 public:
  // `options` must pass Validate().
  RoundCoordinator(const RoundOptions& options, const RestoredRun& restored, Monotonic now);

  // Effects of the start itself (e.g. folds of a resumed round). Call once, first.
  std::vector<Effect> Start(Monotonic now);
  // Applies one event. Events about unknown or settled assignments and clients are ignored: messages come late and
  // twice. (An update that became durable just when its assignment was settled is settled once more.)
  std::vector<Effect> Apply(const Event& event, Monotonic now);
  // When it wants a Tick, if nothing else happens; InfiniteDuration for never.
  Monotonic NextDeadline() const;

  CoordinatorStatus Status(Monotonic now) const;
  // Of the round that is training or closing; zero if there is none.
  absl::Duration TimeLeft(Monotonic now) const;
  // nullptr if unknown. Assignments of the current round, and of initialisation and evaluations under way.
  const AssignmentRecord* FindAssignment(const std::string& id) const;
  // Versions that the store must keep: the current round's base and those due for evaluation. Ascending.
  std::vector<uint64_t> PinnedVersions() const;
  // INTERNAL, naming the broken rule, if the state is not lawful. For tests and debug builds.
  absl::Status CheckInvariants() const;

 private:
  // restore.cc
  void RestoreRound(const RestoredRun& restored);
  void RestoreOthers(const RestoredRun& restored);
  void SettleStray(const AssignmentRecord& record);

  // round_coordinator.cc: one handler per event; then everything that follows from it.
  void Handle(const ClientWaiting& event);
  void Handle(const ClientStoppedWaiting& event);
  void Handle(const ClientGone& event);
  void Handle(const UpdateReceived& event);
  void Handle(const UpdateFolded& event);
  void Handle(const AssignmentFailed& event);
  void Handle(const VersionPublished& event);
  void Handle(const PublishFailed& event);
  void Handle(const RoundAborted& event);
  void Handle(const EvaluationReported& event);
  void Handle(const StartRequested& event);
  void Handle(const StopRequested& event);
  void Handle(const Tick& event);
  void Advance();
  bool Step();
  std::vector<Effect> TakeEffects();
  void Emit(Effect effect);
  void EmitSettle(const std::optional<Settle>& settle);
  void AssignTo(const AssignmentRecord& record, bool repeated);
  const AssignmentRecord* UnfinishedOf(const std::string& client) const;

  // run_steps.cc. Every step returns whether it changed the state, so that another one may follow.
  bool StepInitializing();
  bool StepEvaluating();
  bool NextRound();
  void AssignEvaluations();
  bool Finish(RunState state, const std::string& reason);
  bool ended() const { return state_ >= RunState::kCompleted; }
  bool publishing() const { return closing_version_.has_value() || initial_.received(); }

  // round_steps.cc
  bool StepRound();
  bool StepInviting();
  bool StepTraining();
  bool StepClosing();
  void StartFolds();
  void Invite(size_t count);
  void ReplaceLost();
  bool SomebodyMayCome() const;
  bool BeginClosing(const std::string& reason);
  bool FailCurrentRound(const std::string& reason);
  void EndRoundWithout(const std::string& reason, const std::string& settle_reason);
  void SettleAll(AssignmentState from, const std::string& reason);
  bool round_open() const { return round_state_ == RoundState::kTraining || round_state_ == RoundState::kClosing; }

  // status.cc
  std::string WaitingFor(Monotonic now) const;
  std::string InitialText() const;
  std::string InvitingText(Monotonic now) const;
  std::string TrainingText(Monotonic now) const;
  std::string ClosingText() const;

  // invariants.cc
  absl::Status CheckRun() const;
  absl::Status CheckRound() const;
  absl::Status CheckClients() const;

  const RoundOptions options_;
  RunState state_ = RunState::kInitializing;
  std::string reason_;
  std::optional<uint64_t> version_;
  bool started_ = true;                     // false while the run waits for the operator
  std::optional<std::string> stop_reason_;  // a stop was asked for

  RoundState round_state_ = RoundState::kIdle;
  RoundLedger ledger_;                       // of the current or last round
  std::optional<uint64_t> closing_version_;  // CloseRound is out, not answered
  bool resumed_ = false;                     // the open round was opened before a restart
  uint32_t failed_rounds_ = 0;               // in a row
  std::string last_failure_;
  // Of what is going on: inviting, training, initialising or evaluating.
  Monotonic deadline_ = absl::InfiniteDuration();

  WaitingRoom waiting_;
  InitialWeights initial_;
  Evaluations evaluations_;
  bool evaluator_seen_ = false;
  LateUpdates late_;
  std::map<std::string, uint64_t> refusals_;

  // During Start and Apply only.
  Monotonic now_;
  std::vector<Effect> effects_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_ROUND_COORDINATOR_H_
