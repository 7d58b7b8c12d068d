#include "deploy/simulate/simulation_options.h"

#include <functional>
#include <limits>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/train/partition.h"
#include "common/base/status_macros.h"
#include "deploy/local/demo_options.h"

namespace thinwire {
namespace {

using Setter = std::function<absl::Status(const std::string&)>;

absl::Status Refuse(const std::string& value, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is '", value, "', must be ", wanted));
}

template <typename T>
Setter Integer(T* out, uint64_t low, uint64_t high) {
  return [=](const std::string& value) {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < low || number > high) {
      return Refuse(value, absl::StrCat("a whole number of ", low, "..", high));
    }
    *out = static_cast<T>(number);
    return absl::OkStatus();
  };
}

Setter Number(double* out, double below) {
  return [=](const std::string& value) {
    double number = 0;
    if (!absl::SimpleAtod(value, &number) || !(number >= 0) || !(number < below)) {
      return Refuse(value, absl::StrCat("a number, at least 0 and less than ", below));
    }
    *out = number;
    return absl::OkStatus();
  };
}

Setter Text(std::string* out) {
  return [out](const std::string& value) {
    if (value.empty()) return Refuse(value, "not empty");
    *out = value;
    return absl::OkStatus();
  };
}

Setter Choice(std::string* out, const std::vector<std::string>& choices) {
  return [out, choices](const std::string& value) {
    for (const std::string& choice : choices) {
      if (value != choice) continue;
      *out = value;
      return absl::OkStatus();
    }
    return Refuse(value, "one of " + absl::StrJoin(choices, ", "));
  };
}

std::map<std::string, Setter> Setters(SimulationOptions* o) {
  constexpr uint64_t kMillion = 1'000'000;
  constexpr uint64_t kMaxSize = uint64_t{1} << 40;
  return {
      {"clients", Integer(&o->clients, 1, kMillion)},
      {"clients-per-round", Integer(&o->clients_per_round, 1, kMillion)},
      {"rounds", Integer(&o->rounds, 1, kMillion)},
      {"plan", Text(&o->plan)},
      {"task", Choice(&o->task, {"classify", "echo"})},
      {"model", Text(&o->model)},
      {"data", Text(&o->data)},
      {"partition", Text(&o->partition)},
      {"samples", Integer(&o->samples, 0, uint64_t{1} << 32)},
      {"parameters", Integer(&o->parameters, 1, kMaxSize)},
      {"examples", Integer(&o->examples, 1, uint64_t{1} << 20)},
      {"epochs", Integer(&o->epochs, 1, kMillion)},
      {"batch", Integer(&o->batch, 1, kMillion)},
      {"learning-rate", Number(&o->learning_rate, 1e6)},
      {"momentum", Number(&o->momentum, 1)},
      {"aggregator", Choice(&o->aggregator, {"mean", "median", "trimmed-mean"})},
      {"trim", Number(&o->trim, 0.5)},
      {"evaluate-every", Integer(&o->evaluate_every, 0, kMillion)},
      {"seed", Integer(&o->seed, 0, std::numeric_limits<uint64_t>::max())},
      {"threads", Integer(&o->threads, 1, 1024)},
      {"state", Text(&o->state)},
      {"format", Choice(&o->format, {"text", "json"})},
  };
}

std::map<std::string, bool*> Switches(SimulationOptions* o) {
  return {{"--no-sync", &o->no_sync}, {"--help", &o->help}, {"-h", &o->help}};
}

absl::Status InFlag(const std::string& name, const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat("--", name, " ", status.message()));
}

absl::Status CheckTogether(const SimulationOptions& options) {
  TW_RETURN_IF_ERROR(InFlag("plan", ParsePlan(options.plan).status()));
  TW_RETURN_IF_ERROR(InFlag("partition", PartitionRule::Parse(options.partition).status()));
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

// Takes the flag at `*index`, and its value.
absl::Status TakeFlag(const std::vector<std::string>& arguments, size_t* index, SimulationOptions* options) {
  const std::map<std::string, Setter> setters = Setters(options);
  const std::string& argument = arguments[*index];
  const size_t equals = argument.find('=');
  absl::string_view name = absl::string_view(argument).substr(0, equals);
  const auto setter = absl::ConsumePrefix(&name, "--") ? setters.find(std::string(name)) : setters.end();
  if (setter == setters.end()) {
    return absl::InvalidArgumentError(absl::StrCat("unknown flag '", argument, "': --help lists them"));
  }
  if (equals == std::string::npos && *index + 1 == arguments.size()) {
    return absl::InvalidArgumentError(absl::StrCat(argument, " needs a value"));
  }
  const std::string value = equals == std::string::npos ? arguments[++*index] : argument.substr(equals + 1);
  return InFlag(setter->first, setter->second(value));
}

}  // namespace

absl::StatusOr<SimulationOptions> ParseSimulationOptions(const std::vector<std::string>& arguments) {
  SimulationOptions options;
  const std::map<std::string, bool*> switches = Switches(&options);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto found = switches.find(arguments[i]);
    if (found != switches.end()) {
      *found->second = true;
      continue;
    }
    TW_RETURN_IF_ERROR(TakeFlag(arguments, &i, &options));
  }
  if (!options.help) {
    TW_RETURN_IF_ERROR(CheckTogether(options));
  }
  return options;
}

}  // namespace thinwire
