#include "deploy/local/demo_options.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
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

// Takes "value=CODEC" out of the parts; FP32 if it is not there.
absl::StatusOr<CodecSpec> TakeValue(std::vector<absl::string_view>* parts) {
  const auto value = std::find_if(parts->begin(), parts->end(),
                                  [](absl::string_view part) { return absl::StartsWith(part, "value="); });
  if (value == parts->end()) return CodecSpec::Fp32();
  TW_ASSIGN_OR_RETURN(const CodecSpec codec, CodecSpec::Parse(absl::StripPrefix(*value, "value=")));
  parts->erase(value);
  return codec;
}

constexpr absl::string_view kUp = ",up=";

// Takes "KEY=VALUE" out of the parts; nothing if it is not there.
std::optional<absl::string_view> TakeNamed(absl::string_view key, std::vector<absl::string_view>* parts) {
  for (auto part = parts->begin(); part != parts->end(); ++part) {
    absl::string_view value = *part;
    if (!absl::ConsumePrefix(&value, absl::StrCat(key, "="))) continue;
    parts->erase(part);
    return value;
  }
  return std::nullopt;
}

// UpdatePlan::Parse's `method`, "rdu:", and parts "bits=0.05" ..., and "decay=", no error feedback without.
absl::Status TakeUpdate(absl::string_view method, std::vector<absl::string_view> parts, ExchangePlan* plan) {
  const std::optional<absl::string_view> decay = TakeNamed("decay", &parts);
  TW_ASSIGN_OR_RETURN(plan->update, UpdatePlan::Parse(absl::StrCat(method, absl::StrJoin(parts, ","))));
  plan->uplink = CodecSpec::Update(plan->update->codec());
  if (!decay.has_value() || absl::SimpleAtod(*decay, &plan->error_decay)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("decay is '", *decay, "', must be 0 to 1"));
}

// "d=4096,k=4,epoch=20", and "value=" with the codec of both directions, which is FP32 without. In the end may follow
// "up=" and what ParseBudget takes, but for "down=".
absl::StatusOr<ExchangePlan> ParseSubspace(absl::string_view text) {
  if (const size_t up = text.find(kUp); up != absl::string_view::npos) {
    TW_ASSIGN_OR_RETURN(ExchangePlan plan, ParseSubspace(text.substr(0, up)));
    text = text.substr(up + kUp.size());
    const size_t method = text.find(':') + 1;
    TW_RETURN_IF_ERROR(TakeUpdate(text.substr(0, method), absl::StrSplit(text.substr(method), ','), &plan));
    TW_RETURN_IF_ERROR(plan.Validate());
    return plan;
  }
  std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  TW_ASSIGN_OR_RETURN(const CodecSpec codec, TakeValue(&parts));
  TW_ASSIGN_OR_RETURN(const SubspacePlan subspace, SubspacePlan::Parse(absl::StrJoin(parts, ",")));
  const ExchangePlan plan{codec, Representation::kDelta, codec, subspace};
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

constexpr char kTopK[] = "topk:";
constexpr char kFetchSgd[] = "fetchsgd:";

absl::Status TakeTopKPart(absl::string_view part, CodecSpec* values, ExchangePlan* plan) {
  if (absl::ConsumePrefix(&part, "value=")) {
    TW_ASSIGN_OR_RETURN(*values, CodecSpec::Parse(part));
    return absl::OkStatus();
  }
  const bool good = absl::ConsumePrefix(&part, "k=")       ? absl::SimpleAtoi(part, &plan->top_k) && plan->top_k > 0
                    : absl::ConsumePrefix(&part, "decay=") ? absl::SimpleAtod(part, &plan->error_decay)
                                                           : false;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", part, "' is no part of top-k; k=NUMBER, decay=0..1 (0: no error feedback) and value=CODEC are"));
}

// "k=4096", and "decay=", 1 without, and "value=" with the codec of the entries, FP32 without.
absl::StatusOr<ExchangePlan> ParseTopK(absl::string_view text) {
  CodecSpec values;
  ExchangePlan plan = TopKPlan(kDefaultTopK);
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    TW_RETURN_IF_ERROR(TakeTopKPart(part, &values, &plan));
  }
  if (values.id == CodecId::kFloatBlocks) {
    return absl::InvalidArgumentError("value= of top-k is float blocks, but entries are no blocks; use fp32 or s1eXmY");
  }
  plan.uplink = CodecSpec::Sparse(values);
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

// "rows=5,columns=10000,k=4096,momentum=0.9", and "value=" with the codec of the cells, FP32 without.
absl::StatusOr<ExchangePlan> ParseFetchSgd(absl::string_view text) {
  std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  TW_ASSIGN_OR_RETURN(const CodecSpec codec, TakeValue(&parts));
  TW_ASSIGN_OR_RETURN(const SketchPlan sketch, SketchPlan::Parse(absl::StrJoin(parts, ",")));
  ExchangePlan plan = FetchSgdPlan(sketch);
  plan.uplink = codec;
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

// UpdatePlan::Parse's "METHOD:bits=0.05,...", and "decay=", no error feedback without, and "down=" with the codec of
// the downlink, FP32 without.
absl::StatusOr<ExchangePlan> ParseBudget(absl::string_view text) {
  const size_t method = text.find(':') + 1;
  std::vector<absl::string_view> parts = absl::StrSplit(text.substr(method), ',');
  const std::optional<absl::string_view> down = TakeNamed("down", &parts);
  ExchangePlan plan = Fp32Plan();
  TW_RETURN_IF_ERROR(TakeUpdate(text.substr(0, method), std::move(parts), &plan));
  if (down.has_value() && *down == "omc") {
    plan.downlink = OmcPlan().downlink;
  } else if (down.has_value()) {
    TW_ASSIGN_OR_RETURN(plan.downlink, CodecSpec::Parse(*down));
  }
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace

absl::StatusOr<ExchangePlan> ParsePlan(const std::string& text) {
  if (text == "omc") return OmcPlan();
  if (text == "topk") return TopKPlan(kDefaultTopK);
  if (text == "rdu") return BudgetPlan(DefaultRdu());
  if (UpdatePlan::IsOne(text)) return ParseBudget(text);
  if (text == "fetchsgd") return FetchSgdPlan(DefaultSketch());
  if (absl::StartsWith(text, kTopK)) return ParseTopK(absl::StripPrefix(text, kTopK));
  if (absl::StartsWith(text, kFetchSgd)) return ParseFetchSgd(absl::StripPrefix(text, kFetchSgd));
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
