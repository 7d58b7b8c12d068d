#include "common/wire/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

namespace thinwire {
namespace {

using ::testing::HasSubstr;

ModelSpec Spec() {
  return *ModelSpec::Create({{"w", {3, 4}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                             {"table", {2}, DataType::kFloat32, TensorRole::kFrozen}});
}

TEST(Convert, ModelSpecSurvivesTheRoundTripWithItsIdentity) {
  const absl::StatusOr<ModelSpec> back = FromProto(ToProto(Spec()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->id(), Spec().id());
}

TEST(Convert, ModelSpecWithAnUnknownRoleNamesTheTensor) {
  v1::ModelSpec proto = ToProto(Spec());
  proto.mutable_tensors(1)->set_role(static_cast<v1::TensorRole>(9));
  EXPECT_THAT(std::string(FromProto(proto).status().message()), HasSubstr("'mean'"));
  proto.mutable_tensors(1)->set_role(v1::TENSOR_ROLE_UNSPECIFIED);
  EXPECT_EQ(FromProto(proto).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Convert, ModelSpecWithAShapeThatOverflowsIsRefused) {
  v1::ModelSpec proto;
  v1::TensorSpec* tensor = proto.add_tensors();
  tensor->set_name("huge");
  tensor->set_data_type(v1::DATA_TYPE_FLOAT32);
  tensor->set_role(v1::TENSOR_ROLE_TRAINABLE);
  for (int i = 0; i < 4; ++i) tensor->add_shape(int64_t{1} << 40);
  EXPECT_THAT(std::string(FromProto(proto).status().message()), HasSubstr("'huge'"));
}

TEST(Convert, PlansSurviveTheRoundTrip) {
  for (const ExchangePlan& plan : {Fp32Plan(), S1E3M7Plan(), OmcPlan(), IgcPlan(IgcStatic()),
                                   IgcPlan(*SubspacePlan::Parse("d=100,k=3,epoch=7,block=128,normal")), TopKPlan(9),
                                   TopKPlan(9, CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo)),
                                   FetchSgdPlan(*SketchPlan::Parse("rows=3,columns=9,k=2,momentum=0,subtract"))}) {
    const absl::StatusOr<ExchangePlan> back = FromProto(ToProto(plan));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->Name(), plan.Name());
    EXPECT_TRUE(back->downlink == plan.downlink && back->uplink == plan.uplink);
    EXPECT_EQ(back->subspace, plan.subspace);
    EXPECT_EQ(back->sketch, plan.sketch);
    EXPECT_EQ(back->top_k, plan.top_k);
    EXPECT_EQ(back->error_decay, plan.error_decay);
  }
}

TEST(Convert, EveryCodecOfUpdatesSurvivesTheRoundTrip) {
  for (const char* text :
       {"rdu:bits=0.05", "rdu:link=64kbit,within=90s", "sign:link=1Mbit,within=1500ms,measured", "rdu:total=20000,fast",
        "rdu:bits=1,m=1.5", "m22:bits=0.5,r=3,m=2.5,ml", "rdu:bits=1,m=4..0/20", "tinyscript:bits=0.5,r=2",
        "topk-uniform:total=9999,r=4", "topk-float:bits=0.5,format=s1e4m3", "sign:bits=1.5", "qsgd:bits=2,bucket=512",
        "eden:bits=0.5,unbiased", "eden:bits=0.5,twice"}) {
    ExchangePlan plan = BudgetPlan(*UpdatePlan::Parse(text), OmcPlan().downlink);
    plan.error_decay = plan.update->suits_error_feedback() ? 0.5 : 0;
    const v1::ExchangePlan proto = ToProto(plan);
    EXPECT_FALSE(proto.uplink().has_value()) << text;
    const absl::StatusOr<ExchangePlan> back = FromProto(proto);
    ASSERT_TRUE(back.ok()) << text << ": " << back.status();
    EXPECT_EQ(back->Name(), plan.Name());
    EXPECT_EQ(back->update, plan.update);
    EXPECT_EQ(back->error_decay, plan.error_decay);
    EXPECT_TRUE(back->uplink == plan.uplink && back->downlink == plan.downlink);
  }
}

TEST(Convert, CodecsOfUpdatesThatCannotBeNameTheFault) {
  const auto fault = [](const std::function<void(v1::Uplink*)>& change) {
    v1::ExchangePlan proto = ToProto(BudgetPlan(*UpdatePlan::Parse("m22:bits=0.5,r=3")));
    change(proto.mutable_uplink());
    return std::string(FromProto(proto).status().message());
  };
  EXPECT_EQ(fault([](auto*) {}), "");
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->clear_codec(); }), HasSubstr("names no codec; set rdu {}"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->clear_budget(); }), HasSubstr("needs a budget"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_value()->mutable_fp32(); }), HasSubstr("an update needs no value"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_top_k()->set_k(9); }), HasSubstr("choose one"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_sketch()->set_columns(9); }), HasSubstr("choose one"));
  EXPECT_THAT(fault([](auto* up) { up->set_representation(v1::UPLINK_REPRESENTATION_MODEL); }), HasSubstr("use delta"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->mutable_top_k_levels()->set_value_bits(4'000'000'000u); }),
              HasSubstr("must be 1 to 8"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->mutable_top_k_levels()->clear_family(); }),
              HasSubstr("family is 0"));
  EXPECT_THAT(
      fault([](auto* up) { up->mutable_update()->mutable_top_k_levels()->set_fit(static_cast<v1::DensityFit>(7)); }),
      HasSubstr("fit is 7"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->mutable_exponent_change()->set_to(1); }),
              HasSubstr("exponent_change.rounds is 0"));
  EXPECT_THAT(fault([](auto* up) {
                up->mutable_update()->mutable_sign();
                up->mutable_update()->mutable_exponent_change()->set_rounds(3);
              }),
              HasSubstr("sign has no M"));
  EXPECT_THAT(fault([](auto* up) { up->mutable_update()->set_bits(5); }), HasSubstr("manifest and header alone take"));
}

TEST(Convert, AnEmptyPlanSaysWhatToSet) {
  EXPECT_THAT(std::string(FromProto(v1::ExchangePlan()).status().message()), HasSubstr("set fp32"));
}

TEST(Convert, AFloatCodecOutOfRangeNamesTheFormat) {
  v1::ValueCodec proto;
  proto.mutable_float_()->set_exponent_bits(9);
  proto.mutable_float_()->set_mantissa_bits(3);
  proto.mutable_float_()->set_scale(v1::SCALE_RULE_NONE);
  EXPECT_THAT(std::string(FromProto(proto).status().message()), HasSubstr("S1E9M3"));
}

TEST(Convert, EveryKnobOfFloatBlocksSurvivesTheRoundTrip) {
  for (const char* text :
       {"s1e3m7:none/4096", "s1e2m3/64", "s1e4m14:absmax/512+correction", "s1e3m7/4096+truncate", "s1e3m7/1024+weights",
        "s1e3m7/4096+partial=0.5", "s1e3m7/4096+partial=0.01", "s1e3m7/2048+correction+truncate+weights+partial=0.1"}) {
    const CodecSpec spec = *CodecSpec::Parse(text);
    const absl::StatusOr<CodecSpec> back = FromProto(ToProto(spec));
    ASSERT_TRUE(back.ok()) << text << ": " << back.status();
    EXPECT_TRUE(*back == spec) << text;
  }
  for (uint32_t one_in = 2; one_in <= BlockOptions::kMaxOneIn; ++one_in) {
    CodecSpec spec = OmcPlan().downlink;
    spec.blocks.exact_one_in = one_in;
    EXPECT_TRUE(*FromProto(ToProto(spec)) == spec) << one_in;
  }
  CodecSpec named = OmcPlan().downlink;
  named.blocks.fp32_tensors = {"decoder", "encoder"};
  v1::ValueCodec proto = ToProto(named);
  EXPECT_TRUE(*FromProto(proto) == named);
  proto.mutable_float_blocks()->mutable_fp32_tensors()->SwapElements(0, 1);
  EXPECT_TRUE(*FromProto(proto) == named);
  proto.mutable_float_blocks()->add_fp32_tensors("encoder");
  EXPECT_THAT(std::string(FromProto(proto).status().message()), HasSubstr("'encoder' twice"));
}

TEST(Convert, FloatBlocksThatCannotBeNameTheFault) {
  const auto fault = [](const std::function<void(v1::FloatBlocksCodec*)>& change) {
    v1::ValueCodec proto = ToProto(OmcPlan().downlink);
    change(proto.mutable_float_blocks());
    return std::string(FromProto(proto).status().message());
  };
  EXPECT_EQ(fault([](auto*) {}), "");
  EXPECT_THAT(fault([](auto* c) { c->set_exponent_bits(9); }), HasSubstr("S1E9M7"));
  EXPECT_THAT(fault([](auto* c) { c->set_exponent_bits(1); }), HasSubstr("exponent_bits is 1"));
  EXPECT_THAT(fault([](auto* c) { c->set_scale(v1::SCALE_RULE_UNSPECIFIED); }), HasSubstr("scale is 0"));
  EXPECT_THAT(fault([](auto* c) { c->set_scale_group(100); }), HasSubstr("scale_group is 100; use 64, 128"));
  EXPECT_THAT(fault([](auto* c) {
                c->set_scale(v1::SCALE_RULE_NONE);
                c->set_scale_group(64);
              }),
              HasSubstr("no scale to share"));
  EXPECT_THAT(fault([](auto* c) { c->set_partial(0.6); }), HasSubstr("partial is 0.6, must be 0, or 0.01 to 0.5"));
  EXPECT_THAT(fault([](auto* c) { c->set_partial(-0.1); }), HasSubstr("partial is -0.1"));
  EXPECT_THAT(fault([](auto* c) { c->set_partial(std::nan("")); }), HasSubstr("partial is nan"));
  EXPECT_THAT(fault([](auto* c) { c->set_partial(0.3); }), HasSubstr("one in a whole number"));
  EXPECT_THAT(fault([](auto* c) { c->set_rounding(static_cast<v1::FloatRounding>(7)); }), HasSubstr("rounding is 7"));
}

TEST(Convert, PayloadRefBelievesNoSize) {
  const PayloadRef ref{Sha256("x"), 1000, 136};
  EXPECT_TRUE(*FromProto(ToProto(ref)) == ref);
  v1::PayloadRef proto = ToProto(ref);
  proto.set_manifest_size(2000);
  EXPECT_FALSE(FromProto(proto).ok());
  proto = ToProto(ref);
  proto.set_payload_id("short");
  EXPECT_THAT(std::string(FromProto(proto).status().message()), HasSubstr("payload_id"));
}

TEST(Convert, DurationsAreLimitedAndNeverNegative) {
  EXPECT_EQ(*FromProto(ToProto(absl::Milliseconds(1500))), absl::Milliseconds(1500));
  EXPECT_TRUE(FromProto(ToProto(absl::InfiniteDuration())).ok());
  EXPECT_EQ(*FromProto(ToProto(-absl::Seconds(1))), absl::ZeroDuration());
  google::protobuf::Duration negative;
  negative.set_seconds(-1);
  EXPECT_FALSE(FromProto(negative).ok());
}

}  // namespace
}  // namespace thinwire
