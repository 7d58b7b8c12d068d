#include "server/config/config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "server/config/config_check.h"
#include "server/config/config_defaults.h"
#include "server/config/config_errors.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;

// Routes the parser's complaints into the list of errors.
class Collector : public google::protobuf::io::ErrorCollector {
 public:
  explicit Collector(ConfigErrors* errors) : errors_(errors) {}
  void AddError(int line, int column, const std::string& message) override {
    errors_->AddAt(line + 1, absl::StrCat("column ", column + 1, ": ", message));
  }
  void AddWarning(int line, int column, const std::string& message) override { AddError(line, column, message); }

 private:
  ConfigErrors* errors_;
};

// The fields are checked before: conversions below cannot fail.
absl::Duration DurationOf(const google::protobuf::Duration& proto) {
  return FromProto(proto).value_or(absl::ZeroDuration());
}

RoundOptions MakeRoundOptions(const v1::FederationConfig& config) {
  RoundOptions options;
  const v1::RoundConfig& round = config.round();
  options.rounds = config.run().rounds();
  options.wait_for_start = config.run().wait_for_start();
  options.clients = round.clients();
  options.invited = static_cast<uint32_t>(std::ceil(round.clients() * round.over_selection()));
  options.min_updates = round.min_updates();
  options.deadline = DurationOf(round.deadline());
  const absl::Duration invite_wait = DurationOf(round.invite_wait());
  options.invite_wait = invite_wait == absl::ZeroDuration() ? absl::InfiniteDuration() : invite_wait;
  options.max_failed_rounds = round.max_failed_rounds();
  options.evaluate_every = config.evaluation().every();
  options.final_evaluation_wait = DurationOf(config.evaluation().final_wait());
  options.seed = config.run().seed();
  options.ask_client_for_initial = config.model().initial_case() == v1::ModelConfig::kFromClientSeed;
  return options;
}

StrategyOptions MakeStrategyOptions(const v1::AggregationConfig& config) {
  StrategyOptions options;
  if (config.has_fed_avg_m()) {
    options.kind = StrategyOptions::Kind::kFedAvgM;
    options.learning_rate = config.fed_avg_m().learning_rate();
    options.momentum = config.fed_avg_m().momentum();
  } else if (config.has_fed_adam()) {
    options.kind = StrategyOptions::Kind::kFedAdam;
    options.learning_rate = config.fed_adam().learning_rate();
    options.beta1 = config.fed_adam().beta1();
    options.beta2 = config.fed_adam().beta2();
    options.epsilon = config.fed_adam().epsilon();
  }
  return options;
}

AggregatorOptions MakeAggregatorOptions(const v1::AggregationConfig& config) {
  AggregatorOptions options;
  if (config.has_median()) options.kind = AggregatorOptions::Kind::kMedian;
  if (config.has_trimmed_mean()) {
    options.kind = AggregatorOptions::Kind::kTrimmedMean;
    options.trim = config.trimmed_mean().trim();
  }
  return options;
}

ServerConfig Assemble(v1::FederationConfig proto, ExchangePlan plan) {
  ServerConfig config;
  config.plan = plan;
  config.round = MakeRoundOptions(proto);
  config.late = proto.round().late() == v1::LATE_POLICY_REFUSE ? LatePolicy::kRefuse : LatePolicy::kDiscard;
  config.strategy = MakeStrategyOptions(proto.aggregation());
  config.strategy.sketch = plan.sketch;
  config.strategy.run_seed = proto.run().seed();
  config.aggregator = MakeAggregatorOptions(proto.aggregation());
  config.heartbeat_interval = DurationOf(proto.client().heartbeat_interval());
  config.lease = DurationOf(proto.client().lease());
  config.retry_min = DurationOf(proto.client().retry_min());
  config.retry_max = DurationOf(proto.client().retry_max());
  config.proto = std::move(proto);
  return config;
}

}  // namespace

absl::StatusOr<ServerConfig> ParseConfig(absl::string_view text, const std::string& name,
                                         const ConfigOverrides& overrides) {
  v1::FederationConfig proto;
  google::protobuf::TextFormat::ParseInfoTree tree;
  ConfigErrors errors(name, &tree, proto.GetDescriptor());
  Collector collector(&errors);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(&tree);
  const bool parsed = parser.ParseFromString(std::string(text), &proto);
  if (!parsed && errors.empty()) errors.AddAt(1, "is not a FederationConfig in protobuf text format");
  TW_RETURN_IF_ERROR(errors.ToStatus());

  if (overrides.insecure) {
    proto.clear_security();
    proto.mutable_security()->set_insecure(true);
  }
  ApplyDefaults(&proto);
  const ExchangePlan plan = CheckConfig(proto, &errors);
  TW_RETURN_IF_ERROR(errors.ToStatus());
  return Assemble(std::move(proto), plan);
}

absl::StatusOr<ServerConfig> LoadConfig(const std::string& path, const ConfigOverrides& overrides) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxConfigBytes));
  return ParseConfig(text, path, overrides);
}

std::string EffectiveConfig(const ServerConfig& config) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(config.proto, &text);
  return text;
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  HostPort result;
  const bool has_both = colon != absl::string_view::npos && colon > 0;
  if (!has_both || !absl::SimpleAtoi(text.substr(colon + 1), &result.port) || result.port < 0 || result.port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' is not HOST:PORT with a port of 0..65535 (0 picks a free one), e.g. 127.0.0.1:9480"));
  }
  result.host = std::string(text.substr(0, colon));
  return result;
}

}  // namespace thinwire
