#include "common/codec/update_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(UpdatePlanTest, EveryMethodIsReadWithItsOwnParts) {
  ASSERT_OK_AND_ASSIGN(const UpdatePlan rdu, UpdatePlan::Parse("rdu:bits=0.05,fast"));
  EXPECT_EQ(rdu.Name(), "rdu fast, 0.05 bits a parameter");
  EXPECT_EQ(rdu.codec(), CodecId::kRdu);
  ASSERT_OK_AND_ASSIGN(const UpdatePlan m22, UpdatePlan::Parse("m22:m=2.5,r=3,total=40000,weibull,ml"));
  EXPECT_EQ(m22.Name(), "top-k weibull (ml) M=2.5 R=3, 40000 bits");
  EXPECT_EQ(m22.codec(), CodecId::kQuantized);
  EXPECT_EQ(UpdatePlan::Parse("m22:bits=1,r=2")->MethodName(), "top-k gennorm M=0 R=2");
  EXPECT_EQ(UpdatePlan::Parse("tinyscript:bits=1,r=2")->MethodName(), "top-k weibull M=0 R=2");
  EXPECT_EQ(UpdatePlan::Parse("topk-uniform:bits=1,r=4")->MethodName(), "top-k uniform R=4");
  EXPECT_EQ(UpdatePlan::Parse("topk-float:bits=1,format=s1e4m3")->MethodName(), "top-k s1e4m3");
  EXPECT_EQ(UpdatePlan::Parse("sign:bits=1.5")->MethodName(), "sign");
  EXPECT_EQ(UpdatePlan::Parse("qsgd:bits=1,bucket=512")->MethodName(), "qsgd 512");
  EXPECT_EQ(UpdatePlan::Parse("eden:bits=1,unbiased,twice")->MethodName(), "eden unbiased twice");
}

TEST(UpdatePlanTest, TheExponentMayChangeFromRoundToRound) {
  ASSERT_OK_AND_ASSIGN(const UpdatePlan plan, UpdatePlan::Parse("rdu:bits=1,m=4..1/3"));
  EXPECT_EQ(plan.MethodName(), "rdu M=4..1/3");
  EXPECT_FALSE(plan.suits_error_feedback());
  const double expected[] = {4, 3, 2, 1, 1};
  for (uint32_t round = 1; round <= 5; ++round) {
    const UpdatePlan then = plan.AtRound(round);
    EXPECT_EQ(then.weight_exponent, (WeightExponent{expected[round - 1], 0, 0})) << round;
    EXPECT_EQ(then.AtRound(7), then);
  }
  EXPECT_EQ(UpdatePlan::Parse("m22:bits=1,r=2,m=2.5")->AtRound(9).weight_exponent.first, 2.5);
  EXPECT_FALSE(UpdatePlan::Parse("m22:bits=1,r=2,m=0..2/5")->suits_error_feedback());
  EXPECT_TRUE(UpdatePlan::Parse("rdu:bits=1,m=0")->suits_error_feedback());
}

TEST(UpdatePlanTest, ABudgetMayBeWhatALinkCarriesInATime) {
  ASSERT_OK_AND_ASSIGN(const UpdatePlan plan, UpdatePlan::Parse("rdu:link=64kbit,within=1m30s"));
  EXPECT_EQ(plan.BudgetBits(10), 64'000u * 90);
  EXPECT_EQ(plan.Name(), "rdu, 64 kbit/s for 90 s");
  EXPECT_FALSE(plan.measures_links());
  ASSERT_OK_AND_ASSIGN(const UpdatePlan measured, UpdatePlan::Parse("sign:within=500ms,measured,link=1Mbit"));
  EXPECT_EQ(measured.BudgetBits(10), 500'000u);
  EXPECT_EQ(measured.Name(), "sign, 1 Mbit/s for 0.5 s or as measured");
  EXPECT_TRUE(measured.measures_links());
}

TEST(UpdatePlanTest, WhatIsNoPartOfAMethodIsNamedWithWhatIs) {
  for (const char* text :
       {"rdu:bits=0.05,r=4", "sign:bits=1,fast", "tinyscript:bits=1,r=2,m=1", "qsgd:bits=1,twice", "m22:bits=1,r=x",
        "rdu:bits=0.05,fast=1", "rdu:", "rdu:total=-3", "topk-float:bits=1,format=fp8",
        "topk-float:bits=1,format=s1e5m2:none", "eden:bits=1,bucket=5", "rdu:bits=0.05,", "rdu:link=64",
        "rdu:link=64kbit,within=30", "rdu:bits=1,m=1..2", "rdu:bits=1,m=1..2/0", "rdu:bits=1,m=../5", "sign:bits=1,m=1",
        "rdu:link=64kbit,within=3s,measured=1"}) {
    EXPECT_THAT(UpdatePlan::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is no part of")))
        << text;
  }
  EXPECT_THAT(UpdatePlan::Parse("best:bits=1"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("qsgd:")));
  EXPECT_TRUE(UpdatePlan::IsOne("rdu:bits=1"));
  EXPECT_FALSE(UpdatePlan::IsOne("rdu"));
  EXPECT_FALSE(UpdatePlan::IsOne("topk:k=5"));
}

TEST(UpdatePlanTest, ValuesOutOfRangeNameTheLimit) {
  const std::pair<const char*, const char*> cases[] = {{"rdu:fast", "needs a budget"},
                                                       {"rdu:bits=1,total=9000", "one of them"},
                                                       {"rdu:bits=1,link=64kbit,within=3s", "one of them"},
                                                       {"rdu:link=64kbit", "time for an upload is 0 s"},
                                                       {"rdu:link=64kbit,within=-3s", "time for an upload is -3 s"},
                                                       {"rdu:link=64kbit,within=inf", "at most 2.592e+06"},
                                                       {"rdu:within=3s,measured", "rate is 0 bits a second"},
                                                       {"rdu:bits=0", "needs a budget"},
                                                       {"rdu:bits=-1", "must be above 0"},
                                                       {"rdu:bits=nan", "must be above 0"},
                                                       {"rdu:bits=33", "at most 32"},
                                                       {"rdu:total=281474976710657", "at most 281474976710656"},
                                                       {"m22:bits=1", "has 0 bits"},
                                                       {"m22:bits=1,r=9", "has 9 bits, must be 1 to 8"},
                                                       {"m22:bits=1,r=2,m=17", "M is 17"},
                                                       {"rdu:bits=1,m=-1", "M is -1, must be 0 to 16"},
                                                       {"rdu:bits=1,m=0..20/3", "M is 20"},
                                                       {"rdu:bits=1,m=nan", "M is nan"},
                                                       {"rdu:bits=1,m=0..2/1000001", "in 1000001 rounds"},
                                                       {"rdu:bits=1,fast,m=2", "fast profile has no M"},
                                                       {"topk-uniform:bits=1,r=0", "has 0 bits"},
                                                       {"topk-float:bits=1", "has 32 bits, must be 1 to 8"},
                                                       {"topk-float:bits=1,format=s1e5m3", "has 9 bits"},
                                                       {"qsgd:bits=1,bucket=4294967297", "at most 4294967296"}};
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(UpdatePlan::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message))) << text;
  }
}

TEST(UpdatePlanTest, BudgetsAreOfAParameterOrOfAnUpload) {
  EXPECT_EQ(UpdatePlan::Parse("rdu:bits=0.05")->BudgetBits(100'000), 5000u);
  EXPECT_EQ(UpdatePlan::Parse("rdu:bits=0.05")->BudgetBits(19), 0u);
  EXPECT_EQ(UpdatePlan::Parse("rdu:total=5001")->BudgetBits(100'000), 5001u);
}

TEST(UpdatePlanTest, WhatOvershootsTakesNoErrorFeedback) {
  for (const char* text : {"rdu:bits=1", "rdu:bits=1,fast", "m22:bits=1,r=2", "tinyscript:bits=1,r=2", "sign:bits=2",
                           "topk-uniform:bits=1,r=2", "topk-float:bits=1,format=s1e5m2", "eden:bits=1"}) {
    EXPECT_TRUE(UpdatePlan::Parse(text)->suits_error_feedback()) << text;
  }
  for (const char* text : {"m22:bits=1,r=2,m=0.5", "qsgd:bits=1", "eden:bits=1,unbiased"}) {
    EXPECT_FALSE(UpdatePlan::Parse(text)->suits_error_feedback()) << text;
  }
}

}  // namespace
}  // namespace thinwire
