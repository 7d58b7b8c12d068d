#include "deploy/simulate/simulation_options.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/train/augment.h"
#include "client/train/packed_matrix.h"
#include "client/train/partition.h"
#include "common/base/status_macros.h"
#include "deploy/local/demo_options.h"
#include "deploy/local/flag_table.h"

namespace thinwire {
namespace {

FlagTable Flags(SimulationOptions* o) {
  constexpr uint64_t kMillion = 1'000'000;
  constexpr uint64_t kMaxSize = uint64_t{1} << 40;
  FlagTable table;
  table.setters = {
      {"clients", IntegerFlag(&o->clients, 1, kMillion)},
      {"clients-per-round", IntegerFlag(&o->clients_per_round, 1, kMillion)},
      {"rounds", IntegerFlag(&o->rounds, 1, kMillion)},
      {"plan", TextFlag(&o->plan)},
      {"task", ChoiceFlag(&o->task, {"classify", "speech", "text", "echo"})},
      {"model", TextFlag(&o->model)},
      {"data", TextFlag(&o->data)},
      {"audio", TextFlag(&o->audio)},
      {"augment", TextFlag(&o->augment)},
      {"dropout", NumberFlag(&o->dropout, 1)},
      {"vocabulary", TextFlag(&o->vocabulary)},
      {"words", IntegerFlag(&o->words, 1, kMillion)},
      {"test-set", ChoiceFlag(&o->test_set, {"dev", "test"})},
      {"test-samples", IntegerFlag(&o->test_samples, 0, uint64_t{1} << 32)},
      {"weights", TextFlag(&o->weights)},
      {"start", TextFlag(&o->start)},
      {"partition", TextFlag(&o->partition)},
      {"samples", IntegerFlag(&o->samples, 0, uint64_t{1} << 32)},
      {"parameters", IntegerFlag(&o->parameters, 1, kMaxSize)},
      {"examples", IntegerFlag(&o->examples, 1, uint64_t{1} << 20)},
      {"epochs", IntegerFlag(&o->epochs, 1, kMillion)},
      {"batch", IntegerFlag(&o->batch, 1, kMillion)},
      {"learning-rate", NumberFlag(&o->learning_rate, 1e6)},
      {"momentum", NumberFlag(&o->momentum, 1)},
      {"strategy", ChoiceFlag(&o->strategy, {"fedavg", "fedavgm", "fedadam"})},
      {"server-rate", NumberFlag(&o->server_rate, 1e6)},
      {"aggregator", ChoiceFlag(&o->aggregator, {"mean", "median", "trimmed-mean"})},
      {"trim", NumberFlag(&o->trim, 0.5)},
      {"evaluate-every", IntegerFlag(&o->evaluate_every, 0, kMillion)},
      {"seed", IntegerFlag(&o->seed, 0, std::numeric_limits<uint64_t>::max())},
      {"threads", IntegerFlag(&o->threads, 1, 1024)},
      {"state", TextFlag(&o->state)},
      {"keep-updates", TextFlag(&o->keep_updates)},
      {"format", ChoiceFlag(&o->format, {"text", "json"})},
  };
  table.switches = {{"--no-sync", &o->no_sync}, {"--help", &o->help}, {"-h", &o->help}};
  return table;
}

// Flags that only some tasks heed, and those that do.
const std::map<std::string, std::vector<std::string>>& TasksOf() {
  static const auto* const table = new std::map<std::string, std::vector<std::string>>{
      {"audio", {"speech"}},
      {"augment", {"classify"}},
      {"data", {"classify", "speech", "text"}},
      {"dropout", {"speech", "text"}},
      {"examples", {"echo"}},
      {"model", {"classify", "speech", "text"}},
      {"parameters", {"echo"}},
      {"partition", {"classify", "speech", "text"}},
      {"samples", {"classify", "speech", "text"}},
      {"test-samples", {"text"}},
      {"test-set", {"text"}},
      {"vocabulary", {"text"}},
      {"weights", {"classify", "speech", "text"}},
      {"words", {"text"}},
  };
  return *table;
}

// What is given and has no effect was meant for something.
absl::Status CheckHeeded(const std::set<std::string>& given, const std::string& task) {
  for (const auto& [flag, tasks] : TasksOf()) {
    if (given.count(flag) == 0 || std::count(tasks.begin(), tasks.end(), task) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("--", flag, " is for --task ", absl::StrJoin(tasks, ", "),
                                                   "; --task ", task, " has no use for it: leave it out"));
  }
  return absl::OkStatus();
}

// Notes in `given` which flags are read.
void Note(std::set<std::string>* given, FlagTable* table) {
  for (auto& [name, setter] : table->setters) {
    setter = [given, name = name, set = std::move(setter)](const std::string& value) {
      given->insert(name);
      return set(value);
    };
  }
}

absl::Status CheckKeepUpdates(const SimulationOptions& options, const ExchangePlan& plan) {
  if (options.keep_updates.empty()) return absl::OkStatus();
  if (options.weights != "full") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--keep-updates needs whole models in full precision, but --weights is ", options.weights, "; leave it out"));
  }
  if (!plan.subspace.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--keep-updates needs whole models, but --plan ", options.plan,
                                                 " trains in a subspace; take another"));
}

absl::Status CheckTogether(const SimulationOptions& options) {
  const absl::StatusOr<ExchangePlan> plan = ParsePlan(options.plan);
  TW_RETURN_IF_ERROR(InFlag("plan", plan.status()));
  TW_RETURN_IF_ERROR(InFlag("partition", PartitionRule::Parse(options.partition).status()));
  TW_RETURN_IF_ERROR(InFlag("augment", ParseAugmentRule(options.augment).status()));
  TW_RETURN_IF_ERROR(InFlag("weights", WeightsRule::Parse(options.weights).status()));
  TW_RETURN_IF_ERROR(CheckKeepUpdates(options, *plan));
  if (options.server_rate > 0 && options.strategy == "fedavg") {
    return absl::InvalidArgumentError(
        absl::StrCat("--server-rate is ", options.server_rate, ", but --strategy fedavg takes the mean as it is"));
  }
  if (options.clients_per_round > options.clients) {
    return absl::InvalidArgumentError(absl::StrCat("--clients-per-round is ", options.clients_per_round,
                                                   ", but there are only --clients ", options.clients));
  }
  if (options.samples != 0 && options.samples < options.clients) {
    return absl::InvalidArgumentError(absl::StrCat("--samples is ", options.samples, ", too few for ", options.clients,
                                                   " clients: each needs at least one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SimulationOptions> ParseSimulationOptions(const std::vector<std::string>& arguments) {
  SimulationOptions options;
  FlagTable table = Flags(&options);
  std::set<std::string> given;
  Note(&given, &table);
  TW_RETURN_IF_ERROR(ReadFlags(arguments, table));
  if (options.help) return options;
  TW_RETURN_IF_ERROR(CheckHeeded(given, options.task));
  TW_RETURN_IF_ERROR(CheckTogether(options));
  return options;
}

}  // namespace thinwire
