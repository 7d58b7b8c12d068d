#include "common/codec/plan_matrix.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr char kIntroduction[] = R"(# Exchange plans: accepted and refused

Generated from the validator (`ExchangePlan::Validate`); a test compares this page with it and walks every row. To make it
anew after a change: `THINWIRE_REWRITE=1 build/dev/tests/unit/codec/plan_matrix_test`.

The downlink carries the full model. `delta` uploads the trained model minus R, the exact decoded downlink that the
client started from; `model` uploads the trained model itself and the server subtracts R. Buffers travel exactly
(FP32 and int64), but up under a budget of bits (docs/rdu.md). "Blocks" are those of online model compression (docs/omc.md).

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

constexpr char kSubspaces[] = R"(
## In a subspace

The downlink carries coordinates, the uplink how far they moved (docs/igc.md).

| subspace | downlink | uplink | uplink codec | verdict |
| --- | --- | --- | --- | --- |
)";

std::vector<SubspacePlan> Subspaces() {
  SubspacePlan both = IgcK();
  both.epoch_rounds = 20;
  SubspacePlan blocks = IgcStatic();
  blocks.block_size = 65536;
  blocks.normal_diagonal = true;
  std::vector<SubspacePlan> plans = {IgcStatic(), IgcTimeVarying(), IgcK(), both, blocks};
  plans.push_back(SubspacePlan());
  plans.push_back(IgcK());
  plans.back().vectors = 65;
  plans.push_back(blocks);
  plans.back().block_size = 65535;
  return plans;
}

constexpr char kReduced[] = R"(
## A part of each update

The downlink carries the full model, the uplink the largest entries of an update, or a sketch of it (docs/igc.md, rivals).

| part | downlink | uplink | uplink codec | verdict |
| --- | --- | --- | --- | --- |
)";

constexpr char kBudgets[] = R"(
## Under a budget

The downlink carries the full model, or coordinates of a subspace, the uplink the whole update in one code (docs/rdu.md,
docs/quantize.md) that takes at most so many bits, everything included; a parameter is a trainable value, or a coordinate.
Whether they are enough for an update of nothing depends on the model, and is checked against it when a run starts.

| update | downlink | uplink | uplink codec | verdict |
| --- | --- | --- | --- | --- |
)";

std::string PartOf(const ExchangePlan& plan) {
  std::string part = plan.sketch.has_value()   ? plan.sketch->Name()
                     : plan.update.has_value() ? plan.update->Name()
                     : plan.top_k > 0          ? ""
                                               : "all";
  if (plan.top_k > 0) absl::StrAppend(&part, part.empty() ? "" : " and ", "top ", plan.top_k);
  if (plan.error_decay > 0) absl::StrAppend(&part, ", error decay ", plan.error_decay);
  if (plan.subspace.has_value()) absl::StrAppend(&part, ", subspace of ", plan.subspace->Name());
  return part;
}

std::string RestOfRow(const ExchangePlan& plan) {
  const absl::Status verdict = plan.Validate();
  return absl::StrCat(
      plan.downlink.Name(), " | ", plan.uplink_representation == Representation::kModel ? "model" : "delta", " | ",
      plan.uplink.Name(), " | ", verdict.ok() ? "accepted" : absl::StrCat("refused: ", verdict.message()), " |\n");
}

}  // namespace

std::vector<ExchangePlan> SubspaceMatrixPlans() {
  std::vector<ExchangePlan> plans;
  for (const SubspacePlan& subspace : Subspaces()) plans.push_back(IgcPlan(subspace));
  for (const char* codec :
       {"s1e3m7", "s1e2m1/64", "s1e3m7:absmax/4096+correction", "s1e3m7/4096+weights", "s1e3m7/4096+partial=0.1"}) {
    plans.push_back({*CodecSpec::Parse(codec), Representation::kDelta, *CodecSpec::Parse(codec), IgcTimeVarying()});
  }
  plans.push_back({CodecSpec::Fp32(), Representation::kModel, CodecSpec::Fp32(), IgcStatic()});
  return plans;
}

std::vector<ExchangePlan> ReducedMatrixPlans() {
  const CodecSpec small = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const CodecSpec blocks = *CodecSpec::Parse("s1e3m7/4096+weights");
  const ExchangePlan top_k = TopKPlan(kDefaultTopK), sketch = FetchSgdPlan(DefaultSketch());
  std::vector<ExchangePlan> plans = {top_k, TopKPlan(kDefaultTopK, small), sketch};
  const auto add = [&plans](ExchangePlan plan, const auto& change) {
    change(&plan);
    plans.push_back(std::move(plan));
  };
  add(top_k, [](ExchangePlan* plan) { plan->error_decay = 0; });
  add(top_k, [](ExchangePlan* plan) { plan->error_decay = 0.9; });
  add(top_k, [&](ExchangePlan* plan) { plan->downlink = small; });
  add(sketch, [&](ExchangePlan* plan) { plan->uplink = small; });
  add(sketch, [](ExchangePlan* plan) { plan->sketch->subtract = true; });
  add(top_k, [](ExchangePlan* plan) { plan->error_decay = 1.5; });
  add(top_k, [](ExchangePlan* plan) { plan->uplink = CodecSpec::Fp32(); });
  add(top_k, [](ExchangePlan* plan) { plan->uplink_representation = Representation::kModel; });
  add(top_k, [](ExchangePlan* plan) { plan->subspace = IgcStatic(); });
  add(Fp32Plan(), [](ExchangePlan* plan) { plan->error_decay = 1; });
  add(sketch, [](ExchangePlan* plan) { plan->uplink_representation = Representation::kModel; });
  add(sketch, [](ExchangePlan* plan) { plan->subspace = IgcStatic(); });
  add(sketch, [](ExchangePlan* plan) { plan->sketch->rows = 33; });
  add(sketch, [](ExchangePlan* plan) { plan->sketch->columns = 0; });
  add(sketch, [](ExchangePlan* plan) { plan->sketch->k = 0; });
  add(sketch, [](ExchangePlan* plan) { plan->sketch->momentum = 1; });
  add(sketch, [&](ExchangePlan* plan) { plan->uplink = blocks; });
  add(sketch, [](ExchangePlan* plan) {
    plan->top_k = 10;
    plan->uplink = CodecSpec::Sparse(CodecSpec::Fp32());
  });
  return plans;
}

std::vector<ExchangePlan> BudgetMatrixPlans() {
  std::vector<ExchangePlan> plans;
  for (const char* text : {"rdu:bits=0.05", "rdu:total=20000,fast", "rdu:bits=0.25,m=4..0/20", "m22:bits=0.5,r=3,m=2",
                           "m22:bits=0.5,r=3,weibull,ml", "tinyscript:bits=0.5,r=2", "topk-uniform:bits=0.5,r=4",
                           "topk-float:bits=0.5,format=s1e5m2", "sign:bits=1.5", "qsgd:bits=2,bucket=512",
                           "eden:bits=0.5,twice", "eden:bits=0.5,unbiased"}) {
    plans.push_back(BudgetPlan(*UpdatePlan::Parse(text)));
    plans.push_back(plans.back());
    plans.back().error_decay = 1;
  }
  const auto add = [&plans](const auto& change) {
    ExchangePlan plan = BudgetPlan(DefaultRdu());
    change(&plan);
    plans.push_back(std::move(plan));
  };
  for (const char* downlink : {"s1e3m7", "s1e3m7/4096+weights+partial=0.1", "s1e3m7:absmax/64+correction"}) {
    add([&](ExchangePlan* plan) { plan->downlink = *CodecSpec::Parse(downlink); });
  }
  add([](ExchangePlan* plan) { plan->downlink = CodecSpec::Update(CodecId::kRdu); });
  add([](ExchangePlan* plan) { plan->uplink = CodecSpec::Fp32(); });
  add([](ExchangePlan* plan) { plan->uplink = CodecSpec::Update(CodecId::kQuantized); });
  add([](ExchangePlan* plan) { plan->update.reset(); });
  add([](ExchangePlan* plan) { plan->uplink_representation = Representation::kModel; });
  add([](ExchangePlan* plan) { plan->subspace = IgcK(); });
  for (const SubspacePlan& subspace : {IgcStatic(), IgcTimeVarying(), IgcK()}) {
    add([&](ExchangePlan* plan) {
      plan->subspace = subspace;
      plan->error_decay = 1;
    });
  }
  add([](ExchangePlan* plan) { plan->sketch = DefaultSketch(); });
  add([](ExchangePlan* plan) { plan->update->bits_per_parameter = 0; });
  add([](ExchangePlan* plan) { plan->update->bits = 1000; });
  add([](ExchangePlan* plan) { plan->update->bits_per_parameter = 33; });
  add([](ExchangePlan* plan) { plan->error_decay = 2; });
  return plans;
}

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
    absl::StrAppend(&page, "| ", RestOfRow(plan));
  }
  absl::StrAppend(&page, kSubspaces);
  for (const ExchangePlan& plan : SubspaceMatrixPlans()) {
    absl::StrAppend(&page, "| ", plan.subspace->Name(), " | ", RestOfRow(plan));
  }
  absl::StrAppend(&page, kReduced);
  for (const ExchangePlan& plan : ReducedMatrixPlans()) {
    absl::StrAppend(&page, "| ", PartOf(plan), " | ", RestOfRow(plan));
  }
  absl::StrAppend(&page, kBudgets);
  for (const ExchangePlan& plan : BudgetMatrixPlans()) {
    absl::StrAppend(&page, "| ", PartOf(plan), " | ", RestOfRow(plan));
  }
  return page;
}

}  // namespace thinwire
