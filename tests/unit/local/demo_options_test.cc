#include "deploy/local/demo_options.h"

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "deploy/local/usage.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(DemoOptionsTest, WithoutArgumentsTheDefaultsOfTheUsageTextHold) {
  ASSERT_OK_AND_ASSIGN(const DemoOptions options, ParseDemoOptions({}));
  const std::string usage = kUsage;
  for (const std::string& value :
       {absl::StrCat("(default ", options.clients, ")"), absl::StrCat("(default ", options.rounds, ")"),
        "(default " + options.plan + ")", "(default " + options.model + ")", "(default " + options.data + ")",
        "(default " + options.partition + ")", "(default " + options.augment + ")",
        absl::StrCat("(default ", options.samples, ")"), absl::StrCat("(default ", options.learning_rate, ")"),
        absl::StrCat("(default ", options.momentum, ")"), absl::StrCat("(default ", options.batch, ")"),
        absl::StrCat("(default ", options.local_epochs, ")"), absl::StrCat("(default ", options.seed, ")"),
        "(default " + options.out + ")"}) {
    EXPECT_THAT(usage, HasSubstr(value));
  }
}

TEST(DemoOptionsTest, EachOptionOfTheUsageTextIsTakenInBothForms) {
  ASSERT_OK_AND_ASSIGN(const DemoOptions options, ParseDemoOptions({"--clients",
                                                                    "3",
                                                                    "--rounds=4",
                                                                    "--plan",
                                                                    "s1e5m2:absmax",
                                                                    "--model=mlp",
                                                                    "--data=/d",
                                                                    "--partition",
                                                                    "iid",
                                                                    "--samples=0",
                                                                    "--lr",
                                                                    "0.5",
                                                                    "--momentum=0",
                                                                    "--batch",
                                                                    "8",
                                                                    "--local-epochs=2",
                                                                    "--seed",
                                                                    "18446744073709551615",
                                                                    "--out=o",
                                                                    "--json",
                                                                    "--augment=none"}));
  EXPECT_EQ(options.clients, 3u);
  EXPECT_EQ(options.rounds, 4u);
  EXPECT_EQ(options.plan, "s1e5m2:absmax");
  EXPECT_EQ(options.model, "mlp");
  EXPECT_EQ(options.data, "/d");
  EXPECT_EQ(options.partition, "iid");
  EXPECT_EQ(options.augment, "none");
  EXPECT_EQ(options.samples, 0u);
  EXPECT_EQ(options.learning_rate, 0.5);
  EXPECT_EQ(options.momentum, 0);
  EXPECT_EQ(options.batch, 8u);
  EXPECT_EQ(options.local_epochs, 2u);
  EXPECT_EQ(options.seed, 18446744073709551615u);
  EXPECT_EQ(options.out, "o");
  EXPECT_TRUE(options.json);
  EXPECT_FALSE(options.help);
}

TEST(DemoOptionsTest, AWrongArgumentIsNamedWithItsValueAndWhatIsAccepted) {
  struct Case {
    std::vector<std::string> arguments;
    const char* message;
  };
  const Case cases[] = {
      {{"--augment", "all"}, "--augment augmentation 'all': use none, flip-crop, or auto"},
      {{"--clients", "0"}, "--clients is '0', must be a whole number of 1..1000"},
      {{"--clients", "ten"}, "--clients is 'ten'"},
      {{"--rounds", "-1"}, "--rounds is '-1'"},
      {{"--momentum", "1"}, "--momentum is '1', must be a number, at least 0 and less than 1"},
      {{"--lr", "nan"}, "--lr is 'nan'"},
      {{"--out", ""}, "--out is '', must be not empty"},
      {{"--plan", "s1e9m7"}, "--plan"},
      {{"--partition", "striped"}, "--partition"},
      {{"--weights", "light"}, "--weights 'light': use full, packed"},
      {{"--samples", "5"}, "--samples is 5, too few for 10 clients"},
      {{"--clients"}, "--clients needs a value"},
      {{"--colour", "red"}, "unknown flag '--colour'"},
      {{"10"}, "unknown flag '10'"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(ParseDemoOptions(c.arguments), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(DemoOptionsTest, APlanHoldsForBothDirectionsAndSendsDeltasUp) {
  ASSERT_OK_AND_ASSIGN(const ExchangePlan plan, ParsePlan("s1e3m7"));
  EXPECT_EQ(plan.Name(), S1E3M7Plan().Name());
  ASSERT_OK_AND_ASSIGN(const ExchangePlan full, ParsePlan("fp32"));
  EXPECT_EQ(full.Name(), Fp32Plan().Name());
}

TEST(DemoOptionsTest, APlanOfASubspaceNamesItsPartsInAnyOrder) {
  ASSERT_OK_AND_ASSIGN(const ExchangePlan plain, ParsePlan("igc:d=4096"));
  EXPECT_EQ(plain.Name(), IgcPlan(IgcStatic()).Name());
  ASSERT_OK_AND_ASSIGN(const ExchangePlan plan, ParsePlan("igc:epoch=20,value=s1e2m1/64,d=100,k=4"));
  EXPECT_EQ(plan.subspace, *SubspacePlan::Parse("d=100,k=4,epoch=20"));
  EXPECT_EQ(plan.uplink, *CodecSpec::Parse("s1e2m1/64"));
  EXPECT_EQ(plan.downlink, plan.uplink);
  for (const char* text : {"igc:", "igc:d=0", "igc:d=10,e=3", "igc:d=ten", "igc:d=10,value=s1e9m1"}) {
    EXPECT_THAT(ParsePlan(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(DemoOptionsTest, PlansOfAPartOfEachUpdateNameTheirPartsInAnyOrder) {
  EXPECT_EQ(ParsePlan("topk")->Name(), TopKPlan(kDefaultTopK).Name());
  EXPECT_EQ(ParsePlan("fetchsgd")->Name(), FetchSgdPlan(DefaultSketch()).Name());
  ASSERT_OK_AND_ASSIGN(const ExchangePlan top_k, ParsePlan("topk:value=s1e3m7,decay=0.5,k=77"));
  EXPECT_EQ(top_k.top_k, 77u);
  EXPECT_EQ(top_k.error_decay, 0.5);
  EXPECT_EQ(top_k.uplink, CodecSpec::Sparse(*CodecSpec::Parse("s1e3m7")));
  EXPECT_EQ(ParsePlan("topk:k=5,decay=0")->error_decay, 0);
  ASSERT_OK_AND_ASSIGN(const ExchangePlan sketch, ParsePlan("fetchsgd:k=9,value=s1e5m10,columns=30,rows=3,subtract"));
  EXPECT_EQ(sketch.sketch, *SketchPlan::Parse("rows=3,columns=30,k=9,subtract"));
  EXPECT_EQ(sketch.uplink, *CodecSpec::Parse("s1e5m10"));
  EXPECT_EQ(sketch.downlink, CodecSpec::Fp32());
  for (const char* text : {"topk:", "topk:k=0", "topk:k=5,decay=2", "topk:k=5,value=s1e3m7/4096", "topk:n=5",
                           "fetchsgd:", "fetchsgd:k=5", "fetchsgd:columns=5", "fetchsgd:columns=5,k=5,momentum=1"}) {
    EXPECT_THAT(ParsePlan(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(DemoOptionsTest, PlansUnderABudgetNameTheirPartsInAnyOrder) {
  EXPECT_EQ(ParsePlan("rdu")->Name(), BudgetPlan(DefaultRdu()).Name());
  ASSERT_OK_AND_ASSIGN(const ExchangePlan rdu, ParsePlan("rdu:decay=0.9,bits=0.05,down=omc,fast"));
  EXPECT_EQ(rdu.update, *UpdatePlan::Parse("rdu:bits=0.05,fast"));
  EXPECT_EQ(rdu.error_decay, 0.9);
  EXPECT_EQ(rdu.downlink, OmcPlan().downlink);
  EXPECT_EQ(rdu.uplink, CodecSpec::Update(CodecId::kRdu));
  ASSERT_OK_AND_ASSIGN(const ExchangePlan m22, ParsePlan("m22:total=90000,r=4,m=2,down=s1e5m10:none"));
  EXPECT_EQ(m22.update, *UpdatePlan::Parse("m22:total=90000,r=4,m=2"));
  EXPECT_EQ(m22.downlink, *CodecSpec::Parse("s1e5m10:none"));
  EXPECT_EQ(m22.error_decay, 0);
  ASSERT_OK_AND_ASSIGN(const ExchangePlan subspace, ParsePlan("igc:d=900,k=2,value=s1e3m7,up=m22:bits=2,r=3"));
  EXPECT_EQ(subspace.update, *UpdatePlan::Parse("m22:bits=2,r=3"));
  EXPECT_EQ(subspace.subspace, *SubspacePlan::Parse("d=900,k=2"));
  EXPECT_EQ(subspace.downlink, *CodecSpec::Parse("s1e3m7"));
  EXPECT_EQ(subspace.error_decay, 0);
  ASSERT_OK_AND_ASSIGN(const ExchangePlan kept, ParsePlan("igc:d=900,epoch=4,up=rdu:decay=0.9,bits=2"));
  EXPECT_EQ(kept.update, *UpdatePlan::Parse("rdu:bits=2"));
  EXPECT_EQ(kept.error_decay, 0.9);
  for (const char* text : {"igc:d=900,k=2,up=rdu:bits=2,decay=1", "igc:d=900,up=rdu:bits=2,decay=2",
                           "igc:d=900,up=rdu:bits=2,down=fp32", "igc:d=900,decay=1"}) {
    EXPECT_THAT(ParsePlan(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  EXPECT_THAT(ParsePlan("igc:d=900,up=fp32"), StatusIs(absl::StatusCode::kInvalidArgument));
  for (const char* text : {"rdu:", "rdu:bits=0", "rdu:bits=0.05,decay=2", "rdu:bits=0.05,decay=x",
                           "rdu:bits=0.05,down=7", "rdu:bits=0.05,down=rdu", "qsgd:bits=2,decay=1",
                           "m22:bits=1,r=2,m=1,decay=1", "topk-uniform:bits=1", "rdu:total=50"}) {
    EXPECT_THAT(ParsePlan(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace thinwire
