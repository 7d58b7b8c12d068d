#include "server/config/config_defaults.h"

#include <cstdint>
#include <string>

namespace thinwire {
namespace {

void Default(std::string* field, const char* value) {
  if (field->empty()) *field = value;
}

// proto3 scalars do not say whether they were set; zero is meaningless for all of those defaulted here.
template <typename T>
T Or(T value, T fallback) {
  return value == T{} ? fallback : value;
}

void ApplyToDuration(google::protobuf::Duration* field, bool present, int64_t seconds, int32_t nanos) {
  if (present) return;
  field->set_seconds(seconds);
  field->set_nanos(nanos);
}

void ApplyToRound(v1::RoundConfig* round) {
  round->set_over_selection(Or(round->over_selection(), 1.0));
  round->set_min_updates(Or(round->min_updates(), round->clients()));
  ApplyToDuration(round->mutable_deadline(), round->has_deadline(), 600, 0);
  ApplyToDuration(round->mutable_invite_wait(), round->has_invite_wait(), 0, 0);
  if (round->late() == v1::LATE_POLICY_UNSPECIFIED) round->set_late(v1::LATE_POLICY_DISCARD);
  round->set_max_failed_rounds(Or(round->max_failed_rounds(), 3u));
}

void ApplyToStrategy(v1::AggregationConfig* aggregation) {
  switch (aggregation->strategy_case()) {
    case v1::AggregationConfig::kFedAvg:
      break;
    case v1::AggregationConfig::kFedAvgM: {
      v1::FedAvgM* strategy = aggregation->mutable_fed_avg_m();
      if (!strategy->has_momentum()) strategy->set_momentum(0.9);
      strategy->set_learning_rate(Or(strategy->learning_rate(), 1.0));
      break;
    }
    case v1::AggregationConfig::kFedAdam: {
      v1::FedAdam* strategy = aggregation->mutable_fed_adam();
      strategy->set_learning_rate(Or(strategy->learning_rate(), 0.01));
      if (!strategy->has_beta1()) strategy->set_beta1(0.9);
      if (!strategy->has_beta2()) strategy->set_beta2(0.99);
      strategy->set_epsilon(Or(strategy->epsilon(), 0.001));
      break;
    }
    case v1::AggregationConfig::STRATEGY_NOT_SET:
      aggregation->mutable_fed_avg();
      break;
  }
  if (aggregation->aggregator_case() == v1::AggregationConfig::AGGREGATOR_NOT_SET) aggregation->mutable_mean();
  if (aggregation->has_trimmed_mean() && !aggregation->trimmed_mean().has_trim()) {
    aggregation->mutable_trimmed_mean()->set_trim(0.1);
  }
  aggregation->set_max_update_norm(Or(aggregation->max_update_norm(), 256.0));
  aggregation->set_max_examples(Or(aggregation->max_examples(), uint64_t{1} << 20));
}

void ApplyToTraining(v1::TrainingConfig* training) {
  if (training->amount_case() == v1::TrainingConfig::AMOUNT_NOT_SET) training->set_local_epochs(1);
  training->set_batch_size(Or(training->batch_size(), 32u));
  if (training->optimizer_case() == v1::TrainingConfig::OPTIMIZER_NOT_SET) training->mutable_sgd();
  if (training->optimizer_case() == v1::TrainingConfig::kAdam) {
    v1::Adam* adam = training->mutable_adam();
    if (!adam->has_beta1()) adam->set_beta1(0.9);
    if (!adam->has_beta2()) adam->set_beta2(0.999);
    adam->set_epsilon(Or(adam->epsilon(), 1e-8));
  }
}

void ApplyToClient(v1::ClientConfig* client) {
  ApplyToDuration(client->mutable_heartbeat_interval(), client->has_heartbeat_interval(), 5, 0);
  ApplyToDuration(client->mutable_lease(), client->has_lease(), 30, 0);
  ApplyToDuration(client->mutable_retry_min(), client->has_retry_min(), 0, 200'000'000);
  ApplyToDuration(client->mutable_retry_max(), client->has_retry_max(), 5, 0);
}

void ApplyToLimits(v1::LimitsConfig* limits) {
  limits->set_clients(Or(limits->clients(), 10'000u));
  limits->set_evaluators(Or(limits->evaluators(), 1024u));
  limits->set_uploads(Or(limits->uploads(), 1024u));
  limits->set_downloads(Or(limits->downloads(), 1024u));
  limits->set_downloads_per_client(Or(limits->downloads_per_client(), 4u));
  limits->set_spool_bytes(Or(limits->spool_bytes(), uint64_t{1} << 40));
}

}  // namespace

void ApplyDefaults(v1::FederationConfig* config) {
  Default(config->mutable_run()->mutable_name(), "default");
  Default(config->mutable_listen()->mutable_federation(), "127.0.0.1:9480");
  Default(config->mutable_listen()->mutable_control(), "127.0.0.1:9481");
  Default(config->mutable_listen()->mutable_http(), "127.0.0.1:9482");
  config->mutable_storage()->set_keep_versions(Or(config->storage().keep_versions(), 3u));
  ApplyToRound(config->mutable_round());
  ApplyToStrategy(config->mutable_aggregation());
  ApplyToTraining(config->mutable_training());
  ApplyToDuration(config->mutable_evaluation()->mutable_final_wait(), config->evaluation().has_final_wait(), 120, 0);
  ApplyToClient(config->mutable_client());
  ApplyToLimits(config->mutable_limits());
}

}  // namespace thinwire
