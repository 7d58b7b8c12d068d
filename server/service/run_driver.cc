#include "server/service/run_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/round/names.h"
#include "server/service/retry_window.h"
#include "server/service/round_summary.h"

namespace thinwire {
namespace {

// How much of a round's deadline a crash may give back.
constexpr absl::Duration kCheckpointEvery = absl::Seconds(5);

absl::Status Leaving() { return absl::UnavailableError("the server is leaving: come back in a moment"); }

}  // namespace

RunDriver::RunDriver(const RunParts& parts, const RestoredState& restored, RunObserver observer)
    : parts_(parts),
      observer_(std::move(observer)),
      coordinator_(parts.config.round, restored.coordinator, parts.clock->Now()),
      record_(parts, restored),
      exported_(!restored.run.exported_path.empty()),
      evaluation_(restored.evaluation),
      mailbox_(1, parts.driver_queue),
      alarm_(parts.clock, [this] { mailbox_.Run([this] { OnAlarm(); }); }) {
  for (const AssignmentRecord& assignment : restored.coordinator.assignments) {
    if (assignment.state == AssignmentState::kTraining) parts_.clients->Expect(assignment.client, parts_.clock->Now());
  }
}

RunDriver::~RunDriver() { Shutdown(); }

void RunDriver::Start() {
  if (parts_.config.aggregator.robust()) {
    spdlog::info("updates are aggregated by their {}: every update counts alike, numbers of examples are ignored",
                 AggregatorName(parts_.config.aggregator));
  }
  mailbox_.Run([this] {
    Step(coordinator_.Start(parts_.clock->Now()));
    const RunState state = record_.run().state;
    if (state >= RunState::kCompleted && !exported_) Export();
  });
}

void RunDriver::StopAdmitting() {
  leaving_ = true;
  mailbox_.Run([this] {
    admission_ = Leaving();
    for (const std::string& client : held_.Clients()) held_.Answer(client, Leaving());
  });
}

void RunDriver::Shutdown() {
  StopAdmitting();
  mailbox_.Run([this] {
    const Monotonic now = parts_.clock->Now();
    if (!broken_) Checkpoint(now);
    broken_ = true;  // whatever is still queued changes nothing
  });
  alarm_.Stop();
  mailbox_.Shutdown();
}

void RunDriver::Post(Event event) {
  mailbox_.Run([this, event = std::move(event)] { Apply(event); });
}

absl::Status RunDriver::TryRun(std::function<void()> task) {
  if (mailbox_.TryRun(std::move(task))) return absl::OkStatus();
  if (leaving_) return Leaving();
  return WithRetryWindow(absl::ResourceExhaustedError(absl::StrCat(
                             parts_.driver_queue, " requests wait for the run's driver, all that it lets wait")),
                         parts_.config);
}

void RunDriver::Beat(std::function<void(const absl::Status&)> reply) {
  mailbox_.Run(
      [this, reply = std::move(reply)] { reply(admission_.ok() ? parts_.journal->LoadRun().status() : admission_); });
}

void RunDriver::Apply(const Event& event) {
  if (broken_) return;
  Step(coordinator_.Apply(event, parts_.clock->Now()));
}

void RunDriver::Step(const std::vector<Effect>& effects) {
  const Monotonic now = parts_.clock->Now();
  if (!effects.empty()) {
    const absl::Status status = record_.Write(effects, coordinator_.Status(now), coordinator_.TimeLeft(now));
    if (!status.ok()) return Break(status);
  }
  for (const Effect& effect : effects) {
    spdlog::debug("effect {}", EffectText(effect));
    std::visit([this](const auto& any) { CarryOut(any); }, effect);
  }
  AfterStep();
}

void RunDriver::AfterStep() {
  if (broken_) return;
  const Monotonic now = parts_.clock->Now();
  if (record_.open_round() == nullptr) {
    next_checkpoint_ = absl::InfiniteDuration();
  } else if (next_checkpoint_ == absl::InfiniteDuration()) {
    next_checkpoint_ = now + kCheckpointEvery;
  }
  Report(now);
  Arm();
}

void RunDriver::OnAlarm() {
  if (broken_) return;
  const Monotonic now = parts_.clock->Now();
  ExpireHolds(now);
  ExpireLeases(now);
  if (now >= next_checkpoint_) Checkpoint(now);
  if (now < coordinator_.NextDeadline()) return AfterStep();
  ticked_ = coordinator_.NextDeadline();
  Apply(Tick{});
}

void RunDriver::ExpireHolds(Monotonic now) {
  for (const std::string& client : held_.Expired(now)) {
    SendBack(client, coordinator_.Status(now).waiting_for);
    Apply(ClientStoppedWaiting{client});
  }
}

void RunDriver::SendBack(const std::string& client, const std::string& waiting_for) {
  v1::AwaitAssignmentResponse response;
  v1::ComeBack* come_back = response.mutable_come_back();
  *come_back->mutable_retry()->mutable_min() = parts_.config.proto.client().retry_min();
  *come_back->mutable_retry()->mutable_max() = parts_.config.proto.client().retry_max();
  come_back->set_waiting_for(waiting_for);
  held_.Answer(client, std::move(response));
}

void RunDriver::ExpireLeases(Monotonic now) {
  const std::string silence = absl::StrCat("silent for ", SecondsText(parts_.config.lease));
  for (const std::string& client : parts_.clients->TakeExpired(now)) {
    Forget(client, "lease: " + silence,
           absl::FailedPreconditionError(absl::StrCat("lease ended, ", silence, ": call Join")));
  }
}

void RunDriver::Checkpoint(Monotonic now) {
  next_checkpoint_ = now + kCheckpointEvery;
  const absl::Status status = record_.Checkpoint(coordinator_.Status(now), coordinator_.TimeLeft(now));
  if (absl::IsResourceExhausted(status)) {
    // All that is lost is some of the round's time, should the server die before there is room again.
    spdlog::error("checkpoint not written error=\"{}\"", status.ToString());
  } else if (!status.ok()) {
    Break(status);
  }
}

void RunDriver::Arm() {
  // Told once, the coordinator has either acted on a deadline or waits for something else.
  const Monotonic deadline = coordinator_.NextDeadline();
  const Monotonic tick = deadline == ticked_ ? absl::InfiniteDuration() : deadline;
  alarm_.Arm(std::min({tick, next_checkpoint_, held_.NextExpiry(), parts_.clients->NextExpiry()}));
}

void RunDriver::Break(const absl::Status& status) {
  if (broken_) return;
  broken_ = true;
  admission_ = absl::UnavailableError("the server cannot go on: back off and come back");
  spdlog::critical(
      "the run cannot go on, nothing that was acknowledged is lost: mend this, then start the server again "
      "error=\"{}\"",
      status.ToString());
  for (const std::string& client : held_.Clients()) held_.Answer(client, admission_);
  parts_.uploads->EndAll(admission_);
  observer_.broken(status);
}

void RunDriver::BreakLater(const absl::Status& status) {
  mailbox_.Run([this, status] { Break(status); });
}

void RunDriver::Hold(HeldCall call) {
  const std::string client = call.client;
  const std::optional<ClientInfo> info = parts_.clients->Find(client);
  held_.Enter(std::move(call), parts_.clock->Now() + parts_.hold_time);
  // A trainer without a model of its own cannot be asked for initial weights: it waits unseen until there are some.
  const bool useless = info->role == Role::kTrainer && info->model == nullptr && parts_.models->spec() == nullptr;
  if (useless && record_.run().state < RunState::kCompleted) return AfterStep();
  Apply(ClientWaiting{client, info->role, info->examples});
}

void RunDriver::CancelHeld(const std::string& client, uint64_t call) {
  if (held_.Cancel(client, call)) Apply(ClientStoppedWaiting{client});
}

void RunDriver::Forget(const std::string& client, const std::string& reason, const absl::Status& answer) {
  parts_.clients->Remove(client);
  spdlog::info("client gone client={} reason=\"{}\"", client, reason);
  held_.Answer(client, answer);
  Apply(ClientGone{client, reason});
}

void RunDriver::CountRefusal(const std::string& reason, const std::string& client, const absl::Status& status) {
  ++refusals_[reason];
  parts_.metrics->CountRefusal(reason);
  spdlog::warn("refused client={} class=\"{}\" error=\"{}\"", client, reason, status.ToString());
}

void RunDriver::EvaluationArrived(const EvaluationRow& evaluation, const std::string& assignment) {
  if (!evaluation_.has_value() || evaluation.version >= evaluation_->version) evaluation_ = evaluation;
  spdlog::info("evaluated version={} accuracy={:.4f} loss={:.4f} examples={} client={}", evaluation.version,
               evaluation.accuracy, evaluation.loss, evaluation.examples, evaluation.client);
  GaugeAccuracy();
  Apply(EvaluationReported{assignment});
  ReleaseVersions();
}

void RunDriver::GaugeAccuracy() {
  const absl::StatusOr<std::optional<VersionRow>> row = parts_.journal->FindVersion(evaluation_->version);
  if (!row.ok() || !row->has_value() || (*row)->round == 0) return;
  const absl::StatusOr<std::vector<RoundRow>> rounds = parts_.journal->Rounds((*row)->round, 1);
  if (!rounds.ok() || rounds->empty()) return;
  const absl::StatusOr<v1::RoundSummary> summary = MakeSummary(rounds->front(), parts_.journal);
  if (!summary.ok() || !summary->uploads().has_accuracy_per_megabit()) return;
  parts_.metrics->SetAccuracyPerMegabit(summary->uploads().accuracy_per_megabit());
}

std::shared_ptr<const ModelSpec> RunDriver::ModelFor(WorkKind kind) const {
  return kind == WorkKind::kInitialize ? record_.initial_model() : parts_.models->update_spec();
}

}  // namespace thinwire
