#include "server/config/config_check.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/wire/convert.h"
#include "server/aggregate/accumulator.h"
#include "server/config/config.h"

namespace thinwire {
namespace {

// Adds an error unless the value lies in [low, high]; NaN never does.
template <typename T>
void CheckRange(absl::string_view path, T value, T low, T high, absl::string_view way_out, ConfigErrors* errors) {
  if (value >= low && value <= high) return;
  errors->Add(path, absl::StrCat("is ", value, ", must be ", low, "..", high, "; ", way_out));
}

void CheckPositive(absl::string_view path, double value, ConfigErrors* errors) {
  if (value > 0 && std::isfinite(value)) return;
  errors->Add(path, absl::StrCat("is ", value, ", must be a positive number"));
}

// Fractions where 1 itself makes no sense: momenta and decay rates.
void CheckFraction(absl::string_view path, double value, ConfigErrors* errors) {
  if (value >= 0 && value < 1) return;
  errors->Add(path, absl::StrCat("is ", value, ", must be at least 0 and less than 1"));
}

void CheckDuration(absl::string_view path, const google::protobuf::Duration& proto, absl::Duration low,
                   ConfigErrors* errors) {
  const absl::StatusOr<absl::Duration> duration = FromProto(proto);
  if (!duration.ok()) {
    errors->Add(path, duration.status().message());
  } else if (*duration < low) {
    errors->Add(path,
                absl::StrCat("is ", absl::FormatDuration(*duration), ", must be at least ", absl::FormatDuration(low)));
  }
}

void CheckRun(const v1::RunConfig& run, ConfigErrors* errors) {
  const bool length = run.name().size() <= 63;
  const bool letters = run.name().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!length || !letters) {
    errors->Add("run.name", absl::StrCat("is '", run.name().substr(0, 80), "', must be 1 to 63 of a-z, 0-9 and '-'"));
  }
  CheckRange<uint32_t>("run.rounds", run.rounds(), 1, 1'000'000, "say how many rounds to train", errors);
}

void CheckListen(const v1::ListenConfig& listen, ConfigErrors* errors) {
  const std::pair<const char*, const std::string*> addresses[] = {{"listen.federation", &listen.federation()},
                                                                  {"listen.control", &listen.control()},
                                                                  {"listen.http", &listen.http()}};
  for (const auto& [path, address] : addresses) {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(*address);
    if (!parsed.ok()) errors->Add(path, parsed.status().message());
  }
}

void CheckRound(const v1::RoundConfig& round, ConfigErrors* errors) {
  CheckRange<uint32_t>("round.clients", round.clients(), 1, 1'000'000, "say how many updates a round wants", errors);
  CheckRange<double>("round.over_selection", round.over_selection(), 1, 10, "1.3 invites 30 % more than are needed",
                     errors);
  CheckRange<uint32_t>("round.min_updates", round.min_updates(), 1, round.clients(),
                       "a quorum is at most round.clients", errors);
  CheckDuration("round.deadline", round.deadline(), absl::Milliseconds(1), errors);
  CheckDuration("round.invite_wait", round.invite_wait(), absl::ZeroDuration(), errors);
  CheckRange<uint32_t>("round.max_failed_rounds", round.max_failed_rounds(), 1, 1'000'000,
                       "a run ends after so many failed rounds in a row", errors);
}

void CheckStrategy(const v1::AggregationConfig& aggregation, ConfigErrors* errors) {
  if (aggregation.has_fed_avg_m()) {
    CheckFraction("aggregation.fed_avg_m.momentum", aggregation.fed_avg_m().momentum(), errors);
    CheckPositive("aggregation.fed_avg_m.learning_rate", aggregation.fed_avg_m().learning_rate(), errors);
  }
  if (aggregation.has_fed_adam()) {
    CheckPositive("aggregation.fed_adam.learning_rate", aggregation.fed_adam().learning_rate(), errors);
    CheckFraction("aggregation.fed_adam.beta1", aggregation.fed_adam().beta1(), errors);
    CheckFraction("aggregation.fed_adam.beta2", aggregation.fed_adam().beta2(), errors);
    CheckPositive("aggregation.fed_adam.epsilon", aggregation.fed_adam().epsilon(), errors);
  }
}

// A rule that would leave nothing out is the mean under another name: whoever asks for protection is told.
void CheckTrim(double trim, uint32_t min_updates, ConfigErrors* errors) {
  constexpr char kField[] = "aggregation.trimmed_mean.trim";
  if (!(trim >= 0 && trim < 0.5)) {
    return errors->Add(kField, absl::StrCat("is ", trim,
                                            ", must be at least 0 and less than 0.5; 0.1 leaves out a "
                                            "tenth of the updates at each end"));
  }
  if (trim == 0 || TrimmedAtEachEnd(trim, min_updates) > 0) return;
  errors->Add(kField, absl::StrCat("is ", trim, ", which leaves out none of the ", min_updates,
                                   " updates of round.min_updates; raise it to at least 1 / min_updates, or "
                                   "round.min_updates to at least ",
                                   std::ceil(1 / trim)));
}

void CheckAggregator(const v1::FederationConfig& config, ConfigErrors* errors) {
  const v1::AggregationConfig& aggregation = config.aggregation();
  const v1::RoundConfig& round = config.round();
  if (aggregation.has_mean()) return;
  if (round.clients() > kMaxRobustUpdates) {
    errors->Add("round.clients", absl::StrCat("is ", round.clients(), ", at most ", kMaxRobustUpdates,
                                              " with a median or trimmed mean, which holds a block of every update in "
                                              "memory; lower it, or set aggregation { mean {} }"));
  }
  if (aggregation.has_median() && round.min_updates() < kMinMedianUpdates) {
    errors->Add("round.min_updates", absl::StrCat("is ", round.min_updates(), ", must be at least ", kMinMedianUpdates,
                                                  " with a median, which of fewer is no more than their mean; raise "
                                                  "it, or set aggregation { mean {} }"));
  }
  if (aggregation.has_trimmed_mean()) CheckTrim(aggregation.trimmed_mean().trim(), round.min_updates(), errors);
}

void CheckAggregation(const v1::FederationConfig& config, ConfigErrors* errors) {
  const v1::AggregationConfig& aggregation = config.aggregation();
  CheckStrategy(aggregation, errors);
  CheckAggregator(config, errors);
  CheckRange<double>("aggregation.max_update_norm", aggregation.max_update_norm(), 1e-6, 1e12,
                     "updates with a larger L2 norm are refused", errors);
  CheckRange<double>("aggregation.clip_norm", aggregation.clip_norm(), 0, aggregation.max_update_norm(),
                     "what is larger than max_update_norm is refused before it is clipped", errors);
  CheckRange<uint64_t>("aggregation.max_examples", aggregation.max_examples(), 1, uint64_t{1} << 40,
                       "the largest data set a client may claim", errors);
  if (!errors->empty()) return;
  // The sums are fixed-point: the more and the heavier the updates, the fewer bits are left for a value.
  const absl::StatusOr<ModelSpec> probe =
      ModelSpec::Create({{"probe", {1}, DataType::kFloat32, TensorRole::kTrainable}});
  const double invited = std::ceil(config.round().clients() * config.round().over_selection());
  const absl::StatusOr<FixedPoint> rules = ChooseFixedPoint(*probe, {aggregation.max_update_norm()},
                                                            aggregation.max_examples(), static_cast<uint32_t>(invited));
  if (!rules.ok()) errors->Add("aggregation.max_examples", rules.status().message());
}

void CheckAdam(const v1::Adam& adam, ConfigErrors* errors) {
  CheckFraction("training.adam.beta1", adam.beta1(), errors);
  CheckFraction("training.adam.beta2", adam.beta2(), errors);
  CheckPositive("training.adam.epsilon", adam.epsilon(), errors);
  CheckRange<double>("training.adam.weight_decay", adam.weight_decay(), 0, 1e6, "0 switches it off", errors);
}

void CheckTraining(const v1::TrainingConfig& training, ConfigErrors* errors) {
  if (training.amount_case() == v1::TrainingConfig::kLocalSteps) {
    CheckRange<uint32_t>("training.local_steps", training.local_steps(), 1, 100'000'000, "steps per round", errors);
  } else {
    CheckRange<uint32_t>("training.local_epochs", training.local_epochs(), 1, 1'000'000, "epochs per round", errors);
  }
  CheckRange<uint32_t>("training.batch_size", training.batch_size(), 1, 1'000'000, "samples per step", errors);
  CheckRange<double>("training.learning_rate", training.learning_rate(), 0, 1e6, "the clients' step size", errors);
  if (training.has_sgd()) {
    CheckFraction("training.sgd.momentum", training.sgd().momentum(), errors);
    CheckRange<double>("training.sgd.weight_decay", training.sgd().weight_decay(), 0, 1e6, "0 switches it off", errors);
  } else {
    CheckAdam(training.adam(), errors);
  }
  CheckRange<double>("training.proximal_mu", training.proximal_mu(), 0, 1e6, "0 switches FedProx off", errors);
}

void CheckClient(const v1::ClientConfig& client, ConfigErrors* errors) {
  CheckDuration("client.heartbeat_interval", client.heartbeat_interval(), absl::Milliseconds(10), errors);
  CheckDuration("client.retry_min", client.retry_min(), absl::Milliseconds(1), errors);
  CheckDuration("client.retry_max", client.retry_max(), absl::Milliseconds(1), errors);
  if (!errors->empty()) return;
  const absl::Duration heartbeat = *FromProto(client.heartbeat_interval());
  CheckDuration("client.lease", client.lease(), 2 * heartbeat, errors);
  if (*FromProto(client.retry_max()) < *FromProto(client.retry_min())) {
    errors->Add("client.retry_max", "is less than client.retry_min; the window must not be empty");
  }
}

ExchangePlan CheckPlan(const v1::PlanConfig& config, ConfigErrors* errors) {
  if (config.plan_case() == v1::PlanConfig::kExplicit) {
    const absl::StatusOr<ExchangePlan> plan = FromProto(config.explicit_());
    if (plan.ok()) return *plan;
    errors->Add("plan.explicit", plan.status().message());
    return Fp32Plan();
  }
  if (config.preset() == v1::PLAN_PRESET_FP32) return Fp32Plan();
  if (config.preset() == v1::PLAN_PRESET_S1E3M7) return S1E3M7Plan();
  if (config.preset() == v1::PLAN_PRESET_OMC) return OmcPlan();
  if (config.preset() == v1::PLAN_PRESET_IGC_STATIC) return IgcPlan(IgcStatic());
  if (config.preset() == v1::PLAN_PRESET_IGC_TIME_VARYING) return IgcPlan(IgcTimeVarying());
  if (config.preset() == v1::PLAN_PRESET_IGC_K) return IgcPlan(IgcK());
  if (config.preset() == v1::PLAN_PRESET_TOPK) return TopKPlan(kDefaultTopK);
  if (config.preset() == v1::PLAN_PRESET_FETCHSGD) return FetchSgdPlan(DefaultSketch());
  if (config.preset() == v1::PLAN_PRESET_RDU) return BudgetPlan(DefaultRdu());
  errors->Add("plan",
              "names no plan; set preset: PLAN_PRESET_FP32, PLAN_PRESET_S1E3M7, PLAN_PRESET_OMC, "
              "PLAN_PRESET_IGC_STATIC, PLAN_PRESET_IGC_TIME_VARYING, PLAN_PRESET_IGC_K, PLAN_PRESET_TOPK, "
              "PLAN_PRESET_FETCHSGD or PLAN_PRESET_RDU, or explicit { ... }");
  return Fp32Plan();
}

// What does not go with training in a subspace.
void CheckSubspace(const v1::FederationConfig& config, const SubspacePlan& subspace, ConfigErrors* errors) {
  if (config.training().has_adam()) {
    errors->Add("training.adam",
                "does not go with a plan of a subspace: its second moments are of the model's values, which clients do "
                "not optimise; use training { sgd { momentum: ... } }, or aggregation { fed_adam {} } on the server");
  }
  if (subspace.vectors > 1 && !config.aggregation().has_mean()) {
    errors->Add("aggregation",
                absl::StrCat("wants each update whole, but with ", subspace.vectors,
                             " vectors a client sends one of them; set mean {}, or a plan of one vector"));
  }
}

// What does not go with updates of which only entries, or a sketch, travel, or that are coded whole.
void CheckReduced(const v1::FederationConfig& config, const ExchangePlan& plan, ConfigErrors* errors) {
  if (!config.aggregation().has_mean()) {
    errors->Add("aggregation",
                "wants each value of each update, but by the plan's uplink clients do not send them; set mean {}, or a "
                "plan without top_k, sketch and update");
  }
  if (plan.sketch.has_value() && !config.aggregation().has_fed_avg()) {
    errors->Add("aggregation",
                "has a strategy with momentum of its own, but with uplink.sketch the server keeps momentum in the "
                "sketch (uplink.sketch.momentum); set fed_avg {}");
  }
}

// Either all that TLS needs, or plaintext in so many words.
void CheckSecurity(const v1::SecurityConfig& security, ConfigErrors* errors) {
  const bool any = !security.ca().empty() || !security.certificate().empty() || !security.key().empty();
  if (security.insecure()) {
    if (any || !security.revoked().empty()) {
      errors->Add("security.insecure", "contradicts ca, certificate, key and revoked; give either it or them");
    }
    return;
  }
  if (!any) {
    return errors->Add("security",
                       "names no certificates, and plaintext is only served if asked for; set ca, certificate and key "
                       "(thinwire certs init DIR --server HOST makes them), or insecure: true");
  }
  const std::pair<const char*, bool> files[] = {{"security.ca", security.ca().empty()},
                                                {"security.certificate", security.certificate().empty()},
                                                {"security.key", security.key().empty()}};
  for (const auto& [path, missing] : files) {
    if (missing) errors->Add(path, "is missing; TLS needs the files ca, certificate and key");
  }
}

}  // namespace

ExchangePlan CheckConfig(const v1::FederationConfig& config, ConfigErrors* errors) {
  CheckRun(config.run(), errors);
  CheckListen(config.listen(), errors);
  if (config.storage().directory().empty()) {
    errors->Add("storage.directory", "is missing; name the folder for everything durable");
  }
  CheckRange<uint32_t>("storage.keep_versions", config.storage().keep_versions(), 1, 1'000'000,
                       "versions kept besides those in use", errors);
  if (config.model().initial_case() == v1::ModelConfig::INITIAL_NOT_SET) {
    errors->Add("model", "names no initial weights; set safetensors: \"FILE\" or from_client_seed: N");
  }
  CheckRound(config.round(), errors);
  CheckTraining(config.training(), errors);
  CheckDuration("evaluation.final_wait", config.evaluation().final_wait(), absl::ZeroDuration(), errors);
  CheckSecurity(config.security(), errors);
  CheckClient(config.client(), errors);
  const ExchangePlan plan = CheckPlan(config.plan(), errors);
  CheckAggregation(config, errors);
  if (plan.subspace.has_value()) CheckSubspace(config, *plan.subspace, errors);
  if (plan.top_k > 0 || plan.sketch.has_value() || plan.update.has_value()) CheckReduced(config, plan, errors);
  return plan;
}

}  // namespace thinwire
