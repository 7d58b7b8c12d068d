#include "deploy/local/demo_options.h"

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/train/partition.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using Setter = std::function<absl::Status(const std::string&)>;

absl::Status Refuse(const std::string& value, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is '", value, "', must be ", wanted));
}

template <typename T>
Setter Integer(T* out, T low, T high) {
  return [=](const std::string& value) {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < low || number > high) {
      return Refuse(value, absl::StrCat("a whole number of ", low, "..", high));
    }
    *out = static_cast<T>(number);
    return absl::OkStatus();
  };
}

Setter Number(double* out, double low, double below, absl::string_view wanted) {
  return [out, low, below, wanted = std::string(wanted)](const std::string& value) {
    double number = 0;
    if (!absl::SimpleAtod(value, &number) || !(number >= low) || !(number < below)) return Refuse(value, wanted);
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

std::map<std::string, Setter> Setters(DemoOptions* o) {
  constexpr uint32_t kMaxCount = 1'000'000;
  constexpr uint64_t kMaxSamples = uint64_t{1} << 32;
  return {
      {"clients", Integer<uint32_t>(&o->clients, 1, 1000)},
      {"rounds", Integer<uint32_t>(&o->rounds, 1, kMaxCount)},
      {"plan", Text(&o->plan)},
      {"model", Text(&o->model)},
      {"data", Text(&o->data)},
      {"partition", Text(&o->partition)},
      {"samples", Integer<uint64_t>(&o->samples, 0, kMaxSamples)},
      {"lr", Number(&o->learning_rate, 0, 1e6, "a number of 0..1000000")},
      {"momentum", Number(&o->momentum, 0, 1, "at least 0 and less than 1")},
      {"batch", Integer<uint32_t>(&o->batch, 1, kMaxCount)},
      {"local-epochs", Integer<uint32_t>(&o->local_epochs, 1, kMaxCount)},
      {"seed", Integer<uint64_t>(&o->seed, 0, std::numeric_limits<uint64_t>::max())},
      {"out", Text(&o->out)},
  };
}

absl::Status InOption(const std::string& name, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("--", name, " ", status.message()));
}

absl::Status CheckTogether(const DemoOptions& options) {
  TW_RETURN_IF_ERROR(InOption("plan", ParsePlan(options.plan).status()));
  TW_RETURN_IF_ERROR(InOption("partition", PartitionRule::Parse(options.partition).status()));
  if (options.samples != 0 && options.samples < options.clients) {
    return absl::InvalidArgumentError(absl::StrCat("--samples is ", options.samples, ", too few for ", options.clients,
                                                   " clients: each needs at least one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExchangePlan> ParsePlan(const std::string& text) {
  TW_ASSIGN_OR_RETURN(const CodecSpec codec, CodecSpec::Parse(text));
  const ExchangePlan plan{codec, Representation::kDelta, codec};
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

absl::StatusOr<DemoOptions> ParseDemoOptions(const std::vector<std::string>& arguments) {
  DemoOptions options;
  const std::map<std::string, Setter> setters = Setters(&options);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--json") options.json = true;
    if (argument == "--help" || argument == "-h") options.help = true;
    if (argument == "--json" || argument == "--help" || argument == "-h") continue;
    const size_t equals = argument.find('=');
    absl::string_view name = absl::string_view(argument).substr(0, equals);
    const auto setter = absl::ConsumePrefix(&name, "--") ? setters.find(std::string(name)) : setters.end();
    if (setter == setters.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown option '", argument, "': --help lists them"));
    }
    if (equals == std::string::npos && i + 1 == arguments.size()) {
      return absl::InvalidArgumentError(absl::StrCat(argument, " needs a value"));
    }
    const std::string value = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
    TW_RETURN_IF_ERROR(InOption(setter->first, setter->second(value)));
  }
  TW_RETURN_IF_ERROR(CheckTogether(options));
  return options;
}

}  // namespace thinwire
