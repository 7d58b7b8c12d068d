#include "common/codec/update_plan.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/base/link_rate.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr int kMaxValueBits = 8;
constexpr uint64_t kMaxBucket = uint64_t{1} << 32;

absl::Status Refuse(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("uplink.update: ", what));
}

absl::Status CheckLink(const LinkBudget& link) {
  if (link.bits_per_second < kLeastLinkRate || link.bits_per_second > kMostLinkRate) {
    return Refuse(absl::StrCat("the link's rate is ", link.bits_per_second, " bits a second, must be ", kLeastLinkRate,
                               " to ", kMostLinkRate));
  }
  if (link.seconds > 0 && link.seconds <= LinkBudget::kMaxSeconds) return absl::OkStatus();
  return Refuse(absl::StrCat("the time for an upload is ", link.seconds, " s, must be above 0 and at most ",
                             LinkBudget::kMaxSeconds));
}

absl::Status CheckBudget(const UpdatePlan& plan) {
  if ((plan.bits_per_parameter != 0) + (plan.bits != 0) + plan.link.has_value() != 1) {
    return Refuse(
        "needs a budget: bits_per_parameter, bits (of a whole upload) or link (its rate and a time); one of them");
  }
  if (plan.link.has_value()) return CheckLink(*plan.link);
  if (plan.bits > UpdatePlan::kMaxBits) {
    return Refuse(absl::StrCat("bits is ", plan.bits, ", at most ", UpdatePlan::kMaxBits));
  }
  const double rate = plan.bits_per_parameter;
  if (rate >= 0 && rate <= UpdatePlan::kMaxBitsPerParameter) return absl::OkStatus();
  return Refuse(absl::StrCat("bits_per_parameter is ", rate, ", must be above 0 and at most ",
                             UpdatePlan::kMaxBitsPerParameter, ", which is fp32"));
}

absl::Status CheckValueBits(int bits) {
  if (bits >= 1 && bits <= kMaxValueBits) return absl::OkStatus();
  return Refuse(absl::StrCat("a kept value has ", bits, " bits, must be 1 to ", kMaxValueBits, ", a sign among them"));
}

absl::Status CheckExponent(const WeightExponent& exponent) {
  for (const double m : {exponent.first, exponent.last}) {
    if (!(m >= 0 && m <= WeightExponent::kMax)) {
      return Refuse(absl::StrCat("M is ", m, ", must be 0 to ", WeightExponent::kMax));
    }
  }
  if (exponent.rounds <= WeightExponent::kMaxRounds) return absl::OkStatus();
  return Refuse(absl::StrCat("M changes in ", exponent.rounds, " rounds, at most ", WeightExponent::kMaxRounds));
}

absl::Status CheckLevels(const UpdatePlan& plan) {
  TW_RETURN_IF_ERROR(CheckValueBits(plan.value_bits));
  return CheckExponent(plan.weight_exponent);
}

absl::Status CheckRdu(const UpdatePlan& plan) {
  if (!plan.fast || plan.weight_exponent.zero()) return CheckExponent(plan.weight_exponent);
  return Refuse("rdu's fast profile has no M: it weighs no bits; leave out one of them");
}

absl::Status CheckFormat(const FloatFormat& format) {
  TW_RETURN_IF_ERROR(CodecSpec::Float(format.exponent_bits, format.mantissa_bits, ScaleRule::kPowerOfTwo).Validate());
  return CheckValueBits(format.width());
}

std::string LevelsName(const UpdatePlan& plan) {
  return absl::StrCat("top-k ", plan.weibull ? "weibull" : "gennorm", plan.likelihood ? " (ml)" : "",
                      " M=", plan.weight_exponent.Name(), " R=", plan.value_bits);
}

struct Method {
  const char* name;
  UpdateMethod method;
  const char* parts;  // those of its own
};
constexpr Method kMethods[] = {{"rdu", UpdateMethod::kRdu, "fast, m=NUMBER or FIRST..LAST/ROUNDS"},
                               {"m22", UpdateMethod::kLevels, "r=BITS, m=NUMBER or FIRST..LAST/ROUNDS, weibull, ml"},
                               {"tinyscript", UpdateMethod::kLevels, "r=BITS"},
                               {"topk-uniform", UpdateMethod::kUniform, "r=BITS"},
                               {"topk-float", UpdateMethod::kFloat, "format=s1eXmY"},
                               {"sign", UpdateMethod::kSign, ""},
                               {"qsgd", UpdateMethod::kQsgd, "bucket=VALUES"},
                               {"eden", UpdateMethod::kEden, "unbiased, twice"}};

const Method* FindMethod(absl::string_view text) {
  for (const Method& method : kMethods) {
    if (absl::StartsWith(text, absl::StrCat(method.name, ":"))) return &method;
  }
  return nullptr;
}

bool TakeFormat(absl::string_view text, UpdatePlan* plan) {
  const absl::StatusOr<CodecSpec> codec = CodecSpec::Parse(text);
  if (!codec.ok() || codec->id != CodecId::kFloat || absl::StrContains(text, ':')) return false;
  plan->format = codec->format;
  return true;
}

// A part that only this method has.
bool TakeOwnPart(const Method& method, absl::string_view key, absl::string_view value, UpdatePlan* plan) {
  const bool alone = value.empty();
  const bool levels = method.method == UpdateMethod::kLevels;
  const bool free_levels = levels && absl::string_view(method.name) == "m22";
  if (key == "fast" && alone && method.method == UpdateMethod::kRdu) return plan->fast = true;
  if (key == "r" && (levels || method.method == UpdateMethod::kUniform)) {
    return absl::SimpleAtoi(value, &plan->value_bits);
  }
  if (key == "m" && (free_levels || method.method == UpdateMethod::kRdu)) {
    return WeightExponent::Parse(value, &plan->weight_exponent);
  }
  if (key == "weibull" && alone && free_levels) return plan->weibull = true;
  if (key == "ml" && alone && free_levels) return plan->likelihood = true;
  if (key == "format" && method.method == UpdateMethod::kFloat) return TakeFormat(value, plan);
  if (key == "bucket" && method.method == UpdateMethod::kQsgd) return absl::SimpleAtoi(value, &plan->bucket);
  if (key == "unbiased" && alone && method.method == UpdateMethod::kEden) return plan->unbiased = true;
  if (key == "twice" && alone && method.method == UpdateMethod::kEden) return plan->rotate_twice = true;
  return false;
}

LinkBudget& LinkOf(UpdatePlan* plan) {
  if (!plan->link.has_value()) plan->link.emplace();
  return *plan->link;
}

bool TakeRate(absl::string_view text, UpdatePlan* plan) {
  const absl::StatusOr<uint64_t> rate = ParseLinkRate(text);
  if (rate.ok()) LinkOf(plan).bits_per_second = *rate;
  return rate.ok();
}

bool TakeTime(absl::string_view text, UpdatePlan* plan) {
  absl::Duration time;
  if (!absl::ParseDuration(text, &time)) return false;
  LinkOf(plan).seconds = absl::ToDoubleSeconds(time);
  return true;
}

bool TakeBudgetPart(absl::string_view key, absl::string_view value, UpdatePlan* plan, bool* taken) {
  *taken = true;
  if (key == "bits") return absl::SimpleAtod(value, &plan->bits_per_parameter);
  if (key == "total") return absl::SimpleAtoi(value, &plan->bits);
  if (key == "link") return TakeRate(value, plan);
  if (key == "within") return TakeTime(value, plan);
  if (key == "measured" && value.empty()) return LinkOf(plan).measured = true;
  return *taken = false;
}

absl::Status TakePart(const Method& method, absl::string_view part, UpdatePlan* plan) {
  const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
  bool budget = false;
  const bool good = TakeBudgetPart(field.first, field.second, plan, &budget) ||
                    (!budget && TakeOwnPart(method, field.first, field.second, plan));
  if (good) return absl::OkStatus();
  const std::string own = *method.parts == '\0' ? "" : absl::StrCat(", ", method.parts);
  return absl::InvalidArgumentError(absl::StrCat("'", part, "' is no part of ", method.name,
                                                 "; bits=NUMBER (a parameter), total=NUMBER (an upload), link=RATE and "
                                                 "within=TIME (64kbit, 30s), measured",
                                                 own, " are, separated by commas"));
}

}  // namespace

double WeightExponent::At(uint32_t round) const {
  if (rounds == 0 || round <= 1) return first;
  return round > rounds ? last : first + (last - first) * (round - 1) / rounds;
}

std::string WeightExponent::Name() const {
  return rounds == 0 ? absl::StrCat(first) : absl::StrCat(first, "..", last, "/", rounds);
}

bool WeightExponent::Parse(absl::string_view text, WeightExponent* exponent) {
  *exponent = WeightExponent();
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits("..", 1));
  if (ends.first.size() == text.size()) return absl::SimpleAtod(text, &exponent->first);
  const std::pair<absl::string_view, absl::string_view> last = absl::StrSplit(ends.second, absl::MaxSplits('/', 1));
  return absl::SimpleAtod(ends.first, &exponent->first) && absl::SimpleAtod(last.first, &exponent->last) &&
         absl::SimpleAtoi(last.second, &exponent->rounds) && exponent->rounds > 0;
}

uint64_t UpdatePlan::BudgetBits(uint64_t values) const {
  if (link.has_value()) return static_cast<uint64_t>(static_cast<double>(link->bits_per_second) * link->seconds);
  return bits != 0 ? bits : static_cast<uint64_t>(bits_per_parameter * static_cast<double>(values));
}

UpdatePlan UpdatePlan::AtRound(uint32_t round) const {
  UpdatePlan plan = *this;
  plan.weight_exponent = WeightExponent{weight_exponent.At(round), 0, 0};
  return plan;
}

bool UpdatePlan::suits_error_feedback() const {
  return weight_exponent.zero() && method != UpdateMethod::kQsgd && !(method == UpdateMethod::kEden && unbiased);
}

absl::Status UpdatePlan::Validate() const {
  TW_RETURN_IF_ERROR(CheckBudget(*this));
  if (method != UpdateMethod::kRdu && method != UpdateMethod::kLevels && !(weight_exponent == WeightExponent())) {
    return Refuse(absl::StrCat(MethodName(), " has no M; leave exponent_change out"));
  }
  switch (method) {
    case UpdateMethod::kLevels:
      return CheckLevels(*this);
    case UpdateMethod::kUniform:
      return CheckValueBits(value_bits);
    case UpdateMethod::kFloat:
      return CheckFormat(format);
    case UpdateMethod::kQsgd:
      if (bucket <= kMaxBucket) return absl::OkStatus();
      return Refuse(absl::StrCat("bucket is ", bucket, ", at most ", kMaxBucket, ", or 0 for whole tensors"));
    case UpdateMethod::kRdu:
      return CheckRdu(*this);
    case UpdateMethod::kSign:
    case UpdateMethod::kEden:
      return absl::OkStatus();
  }
  return Refuse(absl::StrCat("method ", static_cast<int>(method), " is not one of 1 to 7"));
}

std::string UpdatePlan::MethodName() const {
  switch (method) {
    case UpdateMethod::kRdu:
      return absl::StrCat(fast ? "rdu fast" : "rdu",
                          weight_exponent.zero() ? "" : absl::StrCat(" M=", weight_exponent.Name()));
    case UpdateMethod::kLevels:
      return LevelsName(*this);
    case UpdateMethod::kUniform:
      return absl::StrCat("top-k uniform R=", value_bits);
    case UpdateMethod::kFloat:
      return absl::StrCat("top-k s1e", format.exponent_bits, "m", format.mantissa_bits);
    case UpdateMethod::kSign:
      return "sign";
    case UpdateMethod::kQsgd:
      return bucket == 0 ? "qsgd" : absl::StrCat("qsgd ", bucket);
    case UpdateMethod::kEden:
      return absl::StrCat("eden ", unbiased ? "unbiased" : "biased", rotate_twice ? " twice" : "");
  }
  return "unknown";
}

std::string UpdatePlan::Name() const {
  if (link.has_value()) {
    return absl::StrCat(MethodName(), ", ", DescribeLinkRate(link->bits_per_second), " for ", link->seconds, " s",
                        link->measured ? " or as measured" : "");
  }
  return bits != 0 ? absl::StrCat(MethodName(), ", ", bits, " bits")
                   : absl::StrCat(MethodName(), ", ", bits_per_parameter, " bits a parameter");
}

bool UpdatePlan::IsOne(absl::string_view text) { return FindMethod(text) != nullptr; }

absl::StatusOr<UpdatePlan> UpdatePlan::Parse(absl::string_view text) {
  const Method* const method = FindMethod(text);
  if (method == nullptr) {
    const auto name = [](std::string* out, const Method& one) { absl::StrAppend(out, one.name); };
    return absl::InvalidArgumentError(absl::StrCat("'", text.substr(0, 40), "' names no codec of updates; use ",
                                                   absl::StrJoin(kMethods, ":, ", name), ":"));
  }
  UpdatePlan plan;
  plan.method = method->method;
  plan.weibull = absl::string_view(method->name) == "tinyscript";
  for (const absl::string_view part : absl::StrSplit(text.substr(text.find(':') + 1), ',')) {
    TW_RETURN_IF_ERROR(TakePart(*method, part, &plan));
  }
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace thinwire
