#include "common/codec/plan_matrix.h"

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr char kIntroduction[] = R"(# Exchange plans: accepted and refused

Generated from the validator (`ExchangePlan::Validate`); a test compares this page with it and walks every row. To make it
anew after a change: `THINWIRE_REWRITE=1 build/dev/tests/unit/codec/plan_matrix_test`.

The downlink carries the full model. `delta` uploads the trained model minus R, the exact decoded downlink that the
client started from; `model` uploads the trained model itself and the server subtracts R. Buffers always travel exactly
(FP32 and int64) whatever the plan says.

| downlink | uplink | uplink codec | verdict |
| --- | --- | --- | --- |
)";

std::vector<CodecSpec> Codecs() {
  std::vector<CodecSpec> codecs = {CodecSpec::Fp32()};
  for (const ScaleRule scale : {ScaleRule::kNone, ScaleRule::kPowerOfTwo, ScaleRule::kAbsMax}) {
    codecs.push_back(CodecSpec::Float(3, 7, scale));
  }
  codecs.push_back(CodecSpec::Float(5, 10, ScaleRule::kPowerOfTwo));
  codecs.push_back(CodecSpec::Float(8, 23, ScaleRule::kNone));
  codecs.push_back(CodecSpec::Float(1, 7, ScaleRule::kNone));
  codecs.push_back(CodecSpec::Float(4, 24, ScaleRule::kNone));
  return codecs;
}

}  // namespace

std::vector<ExchangePlan> PlanMatrixPlans() {
  std::vector<ExchangePlan> plans;
  for (const CodecSpec& downlink : Codecs()) {
    for (const Representation representation : {Representation::kDelta, Representation::kModel}) {
      for (const CodecSpec& uplink : Codecs()) plans.push_back({downlink, representation, uplink});
    }
  }
  return plans;
}

std::string PlanMatrixMarkdown() {
  std::string page = kIntroduction;
  for (const ExchangePlan& plan : PlanMatrixPlans()) {
    const absl::Status verdict = plan.Validate();
    absl::StrAppend(&page, "| ", plan.downlink.Name(), " | ",
                    plan.uplink_representation == Representation::kModel ? "model" : "delta", " | ", plan.uplink.Name(),
                    " | ", verdict.ok() ? "accepted" : absl::StrCat("refused: ", verdict.message()), " |\n");
  }
  return page;
}

}  // namespace thinwire
