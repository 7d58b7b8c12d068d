#include "common/codec/plan_matrix.h"

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr char kIntroduction[] = R"(# Exchange plans: accepted and refused

Generated from the validator (`ExchangePlan::Validate`); a test compares this page with it and walks every row. To make it
anew after a change: `THINWIRE_REWRITE=1 build/dev/tests/unit/codec/plan_matrix_test`.

The downlink carries the full model. `delta` uploads the trained model minus R, the exact decoded downlink that the
client started from; `model` uploads the trained model itself and the server subtracts R. Buffers always travel exactly
(FP32 and int64) whatever the plan says. "Blocks" are those of online model compression (docs/omc.md).

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
  for (const char* blocks : {"s1e3m7/4096", "s1e3m7/4096+weights+partial=0.1", "s1e3m7:absmax/64+correction"}) {
    codecs.push_back(*CodecSpec::Parse(blocks));
  }
  codecs.push_back(CodecSpec::Float(1, 7, ScaleRule::kNone));
  codecs.push_back(CodecSpec::Float(4, 24, ScaleRule::kNone));
  BlockOptions blocks;
  blocks.scale_group_log2 = 6;
  codecs.push_back(CodecSpec::FloatBlocks(3, 7, ScaleRule::kNone, blocks));
  blocks.exact_one_in = 1;
  codecs.push_back(CodecSpec::FloatBlocks(3, 7, ScaleRule::kPowerOfTwo, blocks));
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
