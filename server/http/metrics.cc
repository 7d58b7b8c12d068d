#include "server/http/metrics.h"

#include <prometheus/text_serializer.h>

#include <array>

#include "server/round/names.h"

namespace thinwire {
namespace {

const char* Name(Role role) { return role == Role::kTrainer ? "trainer" : "evaluator"; }
const char* Name(Direction direction) { return direction == Direction::kDown ? "down" : "up"; }

constexpr std::array<RunState, 6> kRunStates = {RunState::kInitializing, RunState::kRunning, RunState::kEvaluating,
                                                RunState::kCompleted,    RunState::kStopped, RunState::kFailed};

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
prometheus::Counter& OneCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return Counters(registry, name, help).Add({});
}
prometheus::Gauge& OneGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return Gauges(registry, name, help).Add({});
}
// From a millisecond, a small model, to half a minute, one of some gigabytes.
prometheus::Histogram& Seconds(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(
      {}, prometheus::Histogram::BucketBoundaries{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30});
}

}  // namespace

Metrics::Metrics()
    : payload_bytes_(Counters(registry_, "thinwire_payload_bytes_total",
                              "Bytes of payloads (manifests and frames) that travelled, resent ones again.")),
      message_bytes_(Counters(registry_, "thinwire_message_bytes_total",
                              "Bytes of all serialized messages between server and clients.")),
      rounds_(Counters(registry_, "thinwire_rounds_total", "Rounds that ended, by result.")),
      updates_(Counters(registry_, "thinwire_updates_total", "Assignments that ended, by result.")),
      refusals_(Counters(registry_, "thinwire_refusals_total", "Requests and updates refused, by reason.")),
      run_state_(Gauges(registry_, "thinwire_run_state", "1 for the state that the run is in.")),
      clients_(Gauges(registry_, "thinwire_clients", "Clients whose lease runs.")),
      queue_depth_(Gauges(registry_, "thinwire_queue_depth", "Tasks waiting in a queue.")),
      bits_per_parameter_(Gauges(registry_, "thinwire_payload_bits_per_parameter",
                                 "Bits of the newest payload, frames and manifest included, over the model's values.")),
      distortion_(Gauges(registry_, "thinwire_update_distortion",
                         "Mean over the last round's updates of their relative squared error, as their clients say.")),
      weighted_distortion_(Gauges(registry_, "thinwire_update_weighted_distortion",
                                  "The same under the plan's weight |u|^M, where M is not 0.")),
      unsent_norm_(Gauges(registry_, "thinwire_update_unsent_norm",
                          "Mean over the last round's updates of the norm of what error feedback keeps.")),
      accuracy_per_megabit_(Gauges(registry_, "thinwire_accuracy_per_megabit",
                                   "Accuracy that the newest evaluated round gained, over 10^6 bits of its updates.")),
      update_bytes_(OneCounter(registry_, "thinwire_update_bytes_total",
                               "Bytes of the payloads of updates that count, each once.")),
      granted_bytes_(OneCounter(registry_, "thinwire_update_granted_bytes_total",
                                "Bytes that the budgets of these updates allowed.")),
      client_encode_(OneCounter(registry_, "thinwire_update_encode_seconds_total",
                                "Time that clients took to encode these updates, as they say.")),
      update_decode_(OneCounter(registry_, "thinwire_update_decode_seconds_total",
                                "Time that the server took to check these updates and fold them in.")),
      round_(OneGauge(registry_, "thinwire_round", "The open round, or the last one.")),
      version_(OneGauge(registry_, "thinwire_model_version", "The newest published version of the model.")),
      wanted_(OneGauge(registry_, "thinwire_updates_wanted", "Updates that the open round waits for.")),
      received_(OneGauge(registry_, "thinwire_updates_received", "Updates of the open round that are durable.")),
      time_left_(OneGauge(registry_, "thinwire_round_time_left_seconds", "Time to the open round's deadline.")),
      fold_(Seconds(registry_, "thinwire_fold_seconds", "Time to decode and check an update and fold it in.")),
      publish_(Seconds(registry_, "thinwire_publish_seconds",
                       "Time to make a new version: strategy, weights, encoded downlink, all synced.")),
      encode_(Seconds(registry_, "thinwire_encode_seconds", "Time to encode and sync a version's downlink.")) {}

void Metrics::AddPayloadBytes(Role role, Direction direction, uint64_t bytes) {
  payload_bytes_.Add({{"role", Name(role)}, {"direction", Name(direction)}}).Increment(static_cast<double>(bytes));
}

void Metrics::AddMessageBytes(Role role, Direction direction, uint64_t bytes) {
  message_bytes_.Add({{"role", Name(role)}, {"direction", Name(direction)}}).Increment(static_cast<double>(bytes));
}

void Metrics::CountRound(RoundState result) { rounds_.Add({{"result", std::string(Name(result))}}).Increment(); }

void Metrics::CountUpdate(AssignmentState result) { updates_.Add({{"result", std::string(Name(result))}}).Increment(); }

void Metrics::CountRefusal(const std::string& reason, uint64_t count) {
  refusals_.Add({{"reason", reason}}).Increment(static_cast<double>(count));
}

void Metrics::SetRunState(RunState state) {
  for (const RunState any : kRunStates) run_state_.Add({{"state", std::string(Name(any))}}).Set(any == state ? 1 : 0);
}

void Metrics::SetClients(Role role, size_t live) {
  clients_.Add({{"role", Name(role)}}).Set(static_cast<double>(live));
}

void Metrics::SetWaiting(const WaitingMetrics& waiting) {
  round_.Set(waiting.round);
  version_.Set(static_cast<double>(waiting.version));
  wanted_.Set(waiting.wanted);
  received_.Set(waiting.received);
  time_left_.Set(absl::ToDoubleSeconds(waiting.time_left));
}

void Metrics::SetQueueDepth(const std::string& queue, size_t depth) {
  queue_depth_.Add({{"queue", queue}}).Set(static_cast<double>(depth));
}

void Metrics::ObserveFold(absl::Duration time) { fold_.Observe(absl::ToDoubleSeconds(time)); }
void Metrics::ObservePublish(absl::Duration time) { publish_.Observe(absl::ToDoubleSeconds(time)); }
void Metrics::ObserveEncode(absl::Duration time) { encode_.Observe(absl::ToDoubleSeconds(time)); }

void Metrics::SetBitsPerParameter(Direction direction, double bits) {
  bits_per_parameter_.Add({{"direction", Name(direction)}}).Set(bits);
}

namespace {

// A page without the value, rather than with one of an older round.
void SetOrRemove(const std::optional<double>& value, prometheus::Family<prometheus::Gauge>* family) {
  prometheus::Gauge& gauge = family->Add({});
  value.has_value() ? gauge.Set(*value) : family->Remove(&gauge);
}

}  // namespace

void Metrics::AddUploads(const UploadMetrics& uploads) {
  update_bytes_.Increment(static_cast<double>(uploads.payload_bits) / 8);
  granted_bytes_.Increment(static_cast<double>(uploads.granted_bits) / 8);
  client_encode_.Increment(absl::ToDoubleSeconds(uploads.encode_time));
  update_decode_.Increment(absl::ToDoubleSeconds(uploads.decode_time));
  SetOrRemove(uploads.distortion, &distortion_);
  SetOrRemove(uploads.weighted_distortion, &weighted_distortion_);
  SetOrRemove(uploads.unsent_norm, &unsent_norm_);
}

void Metrics::SetAccuracyPerMegabit(double accuracy) { accuracy_per_megabit_.Add({}).Set(accuracy); }

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace thinwire
