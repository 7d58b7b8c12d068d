#include "deploy/local/demo_options.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/train/augment.h"
#include "client/train/packed_matrix.h"
#include "client/train/partition.h"
#include "common/base/status_macros.h"
#include "deploy/local/flag_table.h"

namespace thinwire {
namespace {

FlagTable Flags(DemoOptions* o) {
  constexpr uint32_t kMaxCount = 1'000'000;
  constexpr uint64_t kMaxSamples = uint64_t{1} << 32;
  FlagTable table;
  table.setters = {
      {"clients", IntegerFlag(&o->clients, 1, 1000)},
      {"rounds", IntegerFlag(&o->rounds, 1, kMaxCount)},
      {"plan", TextFlag(&o->plan)},
      {"model", TextFlag(&o->model)},
      {"weights", TextFlag(&o->weights)},
      {"augment", TextFlag(&o->augment)},
      {"data", TextFlag(&o->data)},
      {"partition", TextFlag(&o->partition)},
      {"samples", IntegerFlag(&o->samples, 0, kMaxSamples)},
      {"lr", NumberFlag(&o->learning_rate, 1e6)},
      {"momentum", NumberFlag(&o->momentum, 1)},
      {"batch", IntegerFlag(&o->batch, 1, kMaxCount)},
      {"local-epochs", IntegerFlag(&o->local_epochs, 1, kMaxCount)},
      {"seed", IntegerFlag(&o->seed, 0, std::numeric_limits<uint64_t>::max())},
      {"out", TextFlag(&o->out)},
  };
  table.switches = {{"--json", &o->json}, {"--help", &o->help}, {"-h", &o->help}};
  return table;
}

absl::Status CheckTogether(const DemoOptions& options) {
  TW_RETURN_IF_ERROR(InFlag("plan", ParsePlan(options.plan).status()));
  TW_RETURN_IF_ERROR(InFlag("weights", WeightsRule::Parse(options.weights).status()));
  TW_RETURN_IF_ERROR(InFlag("augment", ParseAugmentRule(options.augment).status()));
  TW_RETURN_IF_ERROR(InFlag("partition", PartitionRule::Parse(options.partition).status()));
  if (options.samples != 0 && options.samples < options.clients) {
    return absl::InvalidArgumentError(absl::StrCat("--samples is ", options.samples, ", too few for ", options.clients,
                                                   " clients: each needs at least one"));
  }
  return absl::OkStatus();
}

constexpr char kSubspace[] = "igc:";

// "d=4096,k=4,epoch=20", and "value=" with the codec of both directions, which is FP32 without.
absl::StatusOr<ExchangePlan> ParseSubspace(absl::string_view text) {
  std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  CodecSpec codec;
  const auto value =
      std::find_if(parts.begin(), parts.end(), [](absl::string_view part) { return absl::StartsWith(part, "value="); });
  if (value != parts.end()) {
    TW_ASSIGN_OR_RETURN(codec, CodecSpec::Parse(absl::StripPrefix(*value, "value=")));
    parts.erase(value);
  }
  TW_ASSIGN_OR_RETURN(const SubspacePlan subspace, SubspacePlan::Parse(absl::StrJoin(parts, ",")));
  const ExchangePlan plan{codec, Representation::kDelta, codec, subspace};
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace

absl::StatusOr<ExchangePlan> ParsePlan(const std::string& text) {
  if (text == "omc") return OmcPlan();
  if (absl::StartsWith(text, kSubspace)) return ParseSubspace(absl::StripPrefix(text, kSubspace));
  TW_ASSIGN_OR_RETURN(const CodecSpec codec, CodecSpec::Parse(text));
  const ExchangePlan plan{codec, Representation::kDelta, codec};
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

absl::StatusOr<DemoOptions> ParseDemoOptions(const std::vector<std::string>& arguments) {
  DemoOptions options;
  TW_RETURN_IF_ERROR(ReadFlags(arguments, Flags(&options)));
  TW_RETURN_IF_ERROR(CheckTogether(options));
  return options;
}

}  // namespace thinwire
