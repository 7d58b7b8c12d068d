// What happens to a run (events) and what it asks for in return (effects). Plain data: no I/O, clock or tensors.
#ifndef THINWIRE_SERVER_ROUND_EVENTS_H_
#define THINWIRE_SERVER_ROUND_EVENTS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace thinwire {

enum class WorkKind { kInitialize, kTrain, kEvaluate };
enum class Role { kTrainer, kEvaluator };

enum class RunState { kInitializing, kRunning, kEvaluating, kCompleted, kStopped, kFailed };
enum class RoundState { kIdle, kInviting, kTraining, kClosing, kPublished, kFailed };

// Life of an assignment. kReceived: durable, its fold not finished. Everything from kFolded on is final.
enum class AssignmentState { kTraining, kReceived, kFolded, kFailed, kDropped, kDiscarded };

// ---- Events -----------------------------------------------------------------------------------------------------

// A joined client's AwaitAssignment is being held: it can be given work. Sent again whenever it asks again.
struct ClientWaiting {
  std::string client;
  Role role = Role::kTrainer;
  uint64_t examples = 0;
};
// Its call ended (connection lost, hold time over) before work was given. Its assignment, if any, stays.
struct ClientStoppedWaiting {
  std::string client;
};
// Its lease ran out, or it left. Its unfinished assignment is dropped.
struct ClientGone {
  std::string client;
  std::string reason;
};
// A complete update is durable (spool file and journal row). The acknowledgement has been or will be sent.
struct UpdateReceived {
  std::string assignment;
};
// A worker has added the update to the accumulator.
struct UpdateFolded {
  std::string assignment;
};
// A worker, the upload or the client itself says that this assignment yields nothing. The text of a reason up to its
// first ':' is its class, by which the status counts.
struct AssignmentFailed {
  std::string assignment;
  std::string reason;
  // Said by the client or its upload, not by the worker that folds: void once the update is durable, since a fold may
  // be adding it just now.
  bool by_client = false;
};
// The closing round's result is durable and current (also: initial weights).
struct VersionPublished {
  uint64_t version = 0;
};
struct PublishFailed {
  std::string reason;
};
// The server cannot go on with the round that is training or closing, e.g. for want of memory to open it.
struct RoundAborted {
  uint32_t round = 0;
  std::string reason;
};
// Its result is in the journal, and its assignment there in a final state (kFolded).
struct EvaluationReported {
  std::string assignment;
};
// The operator lets a run begin that waits for it (RoundOptions::wait_for_start).
struct StartRequested {};
struct StopRequested {
  std::string reason;
};
// Time has passed; also the answer to WakeAt.
struct Tick {};

using Event = std::variant<ClientWaiting, ClientStoppedWaiting, ClientGone, UpdateReceived, UpdateFolded,
                           AssignmentFailed, VersionPublished, PublishFailed, RoundAborted, EvaluationReported,
                           StartRequested, StopRequested, Tick>;

// ---- Effects ----------------------------------------------------------------------------------------------------
// The driver journals what an effect says, in the order of the effects, before anybody outside can see it. A crash
// between two of them is lawful: what the journal holds then is a state to resume from. All Assigns of one step go into
// one transaction.

// A round opens: fix and journal quanta, make an empty accumulator. Comes again for the same round after a restart: the
// quanta stay as journaled, the accumulator starts empty. It belongs to this round alone, so that a fold that is still
// running when its round fails spoils nothing.
struct OpenRound {
  uint32_t round = 0;
  uint64_t base_version = 0;
};
// Give a waiting client its work (also again, after a reconnect: same id).
struct Assign {
  std::string assignment;
  std::string client;
  WorkKind kind = WorkKind::kTrain;
  uint32_t round = 0;
  uint64_t version = 0;      // to train from or evaluate
  absl::Duration time_left;  // of a training round; infinite for other work
  bool repeated = false;     // the client had it before: nothing to journal
};
// Check and fold a received update. Answered by UpdateFolded or AssignmentFailed.
struct Fold {
  std::string assignment;
};
// Initial weights have come: check and publish them as version 0. Answered by VersionPublished or AssignmentFailed.
struct PublishInitial {
  std::string assignment;
};
// An assignment reached a final state other than kFolded: journal it, delete its files.
struct Settle {
  std::string assignment;
  AssignmentState state = AssignmentState::kDiscarded;
  std::string reason;
  // Whether its update had come. If not, and the journal says that it has become durable meanwhile, leave row and files
  // alone: UpdateReceived is on its way and decides. (One statement: change the row only if it is still kTraining.)
  bool received = false;
};
// All folds are done: apply the strategy and publish. Answered by VersionPublished or PublishFailed.
struct CloseRound {
  uint32_t round = 0;
  uint64_t base_version = 0;
  uint64_t new_version = 0;
  std::vector<std::string> folded;  // assignments, in a fixed order
};
// The round ended without a result. It may never have opened (too few clients).
struct FailRound {
  uint32_t round = 0;
  std::string reason;
};
// The run reached an end state: export the newest version, tell every waiting client.
struct FinishRun {
  RunState state = RunState::kCompleted;
  std::string reason;
};
// The run is over: answer this waiting client.
struct Dismiss {
  std::string client;
};

using Effect = std::variant<OpenRound, Assign, Fold, PublishInitial, Settle, CloseRound, FailRound, FinishRun, Dismiss>;

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_EVENTS_H_
