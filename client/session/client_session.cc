#include "client/session/client_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

JoinRequest MakeJoinRequest(const SessionOptions& options, const SessionParts& parts) {
  JoinRequest request;
  request.client_id = parts.state->client_id();
  request.role = options.role;
  request.examples = parts.trainer->examples();
  if (!parts.trainer->model().tensors().empty()) request.model = parts.trainer->model();
  request.subspace = options.role == ClientRole::kEvaluator || parts.trainer->subspace() != nullptr;
  return request;
}

}  // namespace

ClientSession::ClientSession(const SessionOptions& options, const SessionParts& parts)
    : options_(options),
      parts_(parts),
      join_request_(MakeJoinRequest(options, parts)),
      steps_({options.server, options.max_failures, options.retry_seed}, parts.sleeper, parts.observer,
             [this] { return Join(); }),
      progress_(parts.clock, parts.observer, options.progress_interval),
      model_(parts.state->download_directory(), parts.api),
      subspace_(parts.state->basis_directory(), &model_),
      pending_(parts.state->upload_directory()),
      error_(parts.state->error_directory()),
      uploader_(parts.api, UplinkPacer(options.uplink_bits_per_second, parts.clock, parts.sleeper), parts.clock),
      heartbeat_([this] { Beat(); }, parts.heartbeat_sleeper) {}

SessionSummary ClientSession::Run() {
  progress_.Begin(SessionState::kJoining, absl::StrCat("server ", options_.server));
  const StepOutcome joined = steps_.Run(SessionStep::kJoin, [this] { return Join(); });
  if (joined != StepOutcome::kDone) EndBy(joined);
  while (!ended_) AwaitAndWork();
  heartbeat_.Stop();
  if (joined_ && summary_.end != SessionEnd::kRefused) {
    progress_.Begin(SessionState::kLeaving, summary_.reason);
    const absl::Status left = parts_.api->Leave(summary_.reason);
    if (!left.ok()) parts_.observer->OnTrouble(left, "leaving without the server's knowledge");
  }
  summary_.bytes_down = model_.bytes_received();
  summary_.bytes_up = uploader_.bytes_sent();
  progress_.Begin(SessionState::kEnded, summary_.reason);
  return summary_;
}

void ClientSession::RequestStop() {
  steps_.Stop();
  parts_.heartbeat_sleeper->Interrupt();
  parts_.api->Cancel();
}

absl::Status ClientSession::Join() {
  join_again_ = false;
  TW_ASSIGN_OR_RETURN(run_, parts_.api->Join(join_request_));
  if (run_.model) spec_ = run_.model;
  steps_.SetWindow(run_.retry);
  if (!joined_) progress_.Update(absl::StrCat("joined run ", run_.run_name, ", plan ", run_.plan.Name()));
  joined_ = true;
  heartbeat_.Start(run_.heartbeat_interval);
  return absl::OkStatus();
}

void ClientSession::Beat() {
  absl::Status beaten = parts_.api->Heartbeat(progress_.Activity());
  if (beaten.code() != absl::StatusCode::kFailedPrecondition) return;
  // The server has lost its memory of this client while the session's thread is busy; without a join it would give the
  // assignment to somebody else. The session's thread joins once more before it takes new work.
  join_again_ = true;
  beaten = parts_.api->Join(join_request_).status();
  if (!beaten.ok()) parts_.observer->OnTrouble(beaten, "joining again with the next heartbeat");
}

void ClientSession::AwaitAndWork() {
  DrawInitial();
  if (!awaiting_) progress_.Begin(SessionState::kAwaiting, "");
  awaiting_ = true;
  AwaitReply reply;
  const StepOutcome outcome = steps_.Run(SessionStep::kAwait, [&] {
    if (join_again_) TW_RETURN_IF_ERROR(Join());
    TW_ASSIGN_OR_RETURN(reply, parts_.api->AwaitAssignment(Held()));
    return absl::OkStatus();
  });
  if (outcome != StepOutcome::kDone) return EndBy(outcome);
  if (const auto* assignment = std::get_if<Assignment>(&reply)) return Work(*assignment);
  steps_.NoteProgress();
  if (const auto* over = std::get_if<RunEnded>(&reply)) {
    const bool failed = over->state == "FAILED";
    return End(failed ? SessionEnd::kRunFailed : SessionEnd::kRunCompleted,
               absl::StrCat("run ", over->state, over->reason.empty() ? "" : ": ", over->reason));
  }
  const ComeBack& come_back = std::get<ComeBack>(reply);
  progress_.Update(absl::StrCat("the server waits for ", come_back.waiting_for));
  if (!steps_.WaitWithin(come_back.retry)) EndBy(StepOutcome::kStopped);
}

void ClientSession::End(SessionEnd end, const std::string& reason) {
  ended_ = true;
  summary_.end = end;
  summary_.reason = reason;
}

void ClientSession::EndBy(StepOutcome outcome) {
  const std::string error = steps_.last_error().ToString();
  switch (outcome) {
    case StepOutcome::kStopped:
      return End(SessionEnd::kStopped, "stopped");
    case StepOutcome::kGaveUp:
      return End(SessionEnd::kGaveUp, absl::StrCat("gave up on server ", options_.server, " after ",
                                                   options_.max_failures, " failures in a row: ", error));
    case StepOutcome::kRefused:
      return End(SessionEnd::kRefused, absl::StrCat("server ", options_.server, " refuses this client: ", error));
    case StepOutcome::kDone:
    case StepOutcome::kNewWork:
    case StepOutcome::kGiveUpWork:
      return;
  }
}

}  // namespace thinwire
