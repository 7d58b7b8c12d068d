#include "deploy/simulate/simulation_config.h"

#include <google/protobuf/text_format.h>

#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "deploy/local/demo_options.h"
#include "thinwire/v1/config.pb.h"

namespace thinwire {
namespace {

constexpr int64_t kNeverSeconds = 100'000'000;  // three years
constexpr uint32_t kMaxThreads = 1024;          // evaluators, one a thread

void SetTimes(v1::FederationConfig* config) {
  config->mutable_round()->mutable_deadline()->set_seconds(kNeverSeconds);
  config->mutable_evaluation()->mutable_final_wait()->set_seconds(kNeverSeconds);
  v1::ClientConfig* const client = config->mutable_client();
  client->mutable_heartbeat_interval()->set_seconds(kNeverSeconds);
  client->mutable_lease()->set_seconds(4 * kNeverSeconds);
  // There is no server to spare: whoever tries again may do so at once.
  client->mutable_retry_min()->set_nanos(1'000'000);
  client->mutable_retry_max()->set_nanos(10'000'000);
}

// The sums are fixed-point, so a round may have only so many updates of so large a weight. The server's default is kept
// as long as it fits, because the quantum depends on it, and with it the last bits of the result.
void SetLargestWeight(const SimulationOptions& options, uint64_t largest, v1::FederationConfig* config) {
  constexpr uint32_t kFitsDefault = 1024;
  if (options.clients_per_round <= kFitsDefault) return;
  uint64_t weight = 1;
  while (weight < largest) weight *= 2;
  config->mutable_aggregation()->set_max_examples(weight);
}

void SetTraining(const SimulationOptions& options, v1::TrainingConfig* training) {
  training->set_local_epochs(options.epochs);
  training->set_batch_size(options.batch);
  training->set_learning_rate(options.learning_rate);
  training->mutable_sgd()->set_momentum(options.momentum);
}

void SetStrategy(const SimulationOptions& options, v1::AggregationConfig* aggregation) {
  if (options.strategy == "fedavgm") {
    aggregation->mutable_fed_avg_m()->set_learning_rate(options.server_rate);
  } else if (options.strategy == "fedadam") {
    aggregation->mutable_fed_adam()->set_learning_rate(options.server_rate);
  }
}

void SetModel(const SimulationOptions& options, v1::ModelConfig* model) {
  if (options.start.empty()) {
    model->set_from_client_seed(options.seed);
  } else {
    model->set_safetensors(options.start);
  }
}

void SetAggregator(const SimulationOptions& options, v1::AggregationConfig* aggregation) {
  if (options.aggregator == "median") aggregation->mutable_median();
  if (options.aggregator == "trimmed-mean") aggregation->mutable_trimmed_mean()->set_trim(options.trim);
}

}  // namespace

absl::StatusOr<ServerConfig> SimulationConfig(const SimulationOptions& options, uint64_t largest,
                                              const std::string& state_directory) {
  TW_ASSIGN_OR_RETURN(const ExchangePlan plan, ParsePlan(options.plan));
  v1::FederationConfig config;
  config.mutable_run()->set_name("simulation");
  config.mutable_run()->set_rounds(options.rounds);
  config.mutable_run()->set_seed(options.seed);
  config.mutable_storage()->set_directory(state_directory);
  SetModel(options, config.mutable_model());
  *config.mutable_plan()->mutable_explicit_() = ToProto(plan);
  config.mutable_round()->set_clients(options.clients_per_round);
  config.mutable_evaluation()->set_every(options.evaluate_every);
  config.mutable_limits()->set_clients(options.clients + kMaxThreads);
  config.mutable_security()->set_insecure(true);  // nothing listens
  SetTraining(options, config.mutable_training());
  SetTimes(&config);
  SetStrategy(options, config.mutable_aggregation());
  SetAggregator(options, config.mutable_aggregation());
  SetLargestWeight(options, largest, &config);
  std::string text;
  if (!google::protobuf::TextFormat::PrintToString(config, &text)) {
    return absl::InternalError("the configuration cannot be printed");
  }
  return ParseConfig(text, "simulation");
}

}  // namespace thinwire
