// What RunDriver says about the run: log lines, status, metrics.
#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "common/wire/convert.h"
#include "server/round/names.h"
#include "server/service/round_summary.h"
#include "server/service/run_driver.h"

namespace thinwire {

void RunDriver::Report(Monotonic now) {
  const CoordinatorStatus status = coordinator_.Status(now);
  CountCoordinatorRefusals(status);
  LogChanges(status);
  const std::string key = ChangeKey(status);
  if (key != last_key_) {
    last_key_ = key;
    StatusSnapshot snapshot;
    snapshot.status = MakeStatus(status);
    snapshot.final = exported_ && status.state >= RunState::kCompleted;
    snapshot.open_round = record_.CurrentRow(status, coordinator_.TimeLeft(now));
    if (snapshot.open_round.has_value()) snapshot.deadline = now + snapshot.open_round->time_left;
    parts_.metrics->SetRunState(status.state);
    parts_.board->Publish(std::move(snapshot));
  }
  TellObserver();
}

void RunDriver::TellObserver() {
  const RunState state = record_.run().state;
  if (state < RunState::kCompleted || !exported_) return;
  if (!told_finished_) {
    told_finished_ = true;
    observer_.finished(state);
  }
  if (told_everybody_) return;
  for (const ClientInfo& client : parts_.clients->Joined()) {
    if (told_.count(client.id) == 0) return;
  }
  told_everybody_ = true;
  observer_.everybody_told();
}

void RunDriver::LogChanges(const CoordinatorStatus& status) {
  // The time left in the text runs on by itself; only what comes before it is news.
  const std::string waiting = status.waiting_for.substr(0, status.waiting_for.rfind(" in "));
  if (waiting == last_waiting_) return;
  last_waiting_ = waiting;
  if (!status.waiting_for.empty()) spdlog::info("waiting for=\"{}\"", status.waiting_for);
}

void RunDriver::CountCoordinatorRefusals(const CoordinatorStatus& status) {
  for (const auto& [reason, count] : status.refusals) {
    uint64_t& counted = counted_refusals_[reason];
    if (count > counted) parts_.metrics->CountRefusal(reason, count - counted);
    counted = count;
  }
}

std::string RunDriver::ChangeKey(const CoordinatorStatus& status) const {
  const RoundCounters& n = status.counters;
  uint64_t refused = 0;
  for (const auto& [reason, count] : status.refusals) refused += count;
  for (const auto& [reason, count] : refusals_) refused += count;
  return absl::StrCat(static_cast<int>(status.state), " ", status.round, " ", static_cast<int>(status.round_state), " ",
                      n.invited, " ", n.training, " ", n.folding, " ", n.folded, " ", n.failed, " ", n.dropped, " ",
                      n.discarded, " ", status.version.has_value() ? *status.version + 1 : 0, " ",
                      status.trainers_waiting, " ", status.evaluators_waiting, " ",
                      parts_.clients->live(Role::kTrainer), " ") +
         absl::StrCat(parts_.clients->live(Role::kEvaluator), " ", refused, " ",
                      evaluation_.has_value() ? evaluation_->version + 1 : 0, " ", exported_);
}

bool RunDriver::ended() const { return coordinator_.Status(parts_.clock->Now()).state >= RunState::kCompleted; }

v1::Status RunDriver::StatusNow() const { return MakeStatus(coordinator_.Status(parts_.clock->Now())); }

v1::Status RunDriver::MakeStatus(const CoordinatorStatus& status) const {
  v1::Status proto;
  const RunRow& run = record_.run();
  proto.set_run_name(run.name);
  proto.set_state(ToProto(status.state));
  proto.set_reason(status.reason.empty() ? run.reason : status.reason);
  proto.set_round(status.round);
  proto.set_rounds(parts_.config.round.rounds);
  proto.set_round_state(ToProto(status.round_state));
  *proto.mutable_counters() = ToProto(status.counters);
  proto.set_waiting_for(status.waiting_for);
  proto.set_version(status.version.value_or(0));
  proto.set_trainers(static_cast<uint32_t>(parts_.clients->live(Role::kTrainer)));
  proto.set_evaluators(static_cast<uint32_t>(parts_.clients->live(Role::kEvaluator)));
  const TrafficTotals traffic = parts_.traffic->Totals();
  *proto.mutable_trainer_traffic() = traffic.ToProto(Role::kTrainer);
  *proto.mutable_evaluator_traffic() = traffic.ToProto(Role::kEvaluator);
  if (evaluation_.has_value()) {
    proto.set_accuracy(evaluation_->accuracy);
    proto.set_accuracy_version(evaluation_->version);
  }
  proto.set_model_path(run.exported_path);
  std::map<std::string, uint64_t> refusals = refusals_;
  for (const auto& [reason, count] : status.refusals) refusals[reason] += count;
  for (const auto& [reason, count] : refusals) {
    v1::RefusalCount* refusal = proto.add_refusals();
    refusal->set_reason(reason);
    refusal->set_count(count);
  }
  *proto.mutable_started_at() = ToTimestamp(run.started_at);
  return proto;
}

}  // namespace thinwire
