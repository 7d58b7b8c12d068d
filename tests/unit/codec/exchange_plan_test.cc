#include "common/codec/exchange_plan.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::HasSubstr;
using testing::Not;

const CodecSpec kSmall = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);

TEST(ExchangePlanTest, PresetsAreValidAndNamed) {
  EXPECT_TRUE(Fp32Plan().Validate().ok());
  EXPECT_TRUE(S1E3M7Plan().Validate().ok());
  EXPECT_EQ(Fp32Plan().Name(), "model down as fp32, delta up as fp32");
  EXPECT_EQ(S1E3M7Plan().Name(), "model down as s1e3m7 (power-of-two scale), delta up as s1e3m7 (power-of-two scale)");
}

TEST(ExchangePlanTest, DeltasGoWithAnyPairOfFloatCodecs) {
  for (const CodecSpec& down : {CodecSpec::Fp32(), kSmall, CodecSpec::Float(8, 7, ScaleRule::kAbsMax)}) {
    for (const CodecSpec& up : {CodecSpec::Fp32(), kSmall, CodecSpec::Float(2, 0, ScaleRule::kNone)}) {
      EXPECT_TRUE((ExchangePlan{down, Representation::kDelta, up}).Validate().ok());
    }
  }
}

TEST(ExchangePlanTest, OmcIsFloatBlocksBothWays) {
  EXPECT_TRUE(OmcPlan().Validate().ok());
  EXPECT_EQ(OmcPlan().Name(),
            "model down as s1e3m7 blocks (power-of-two scale of 4096 values, weights only, 1 in 10 exact), delta up as "
            "s1e3m7 blocks (power-of-two scale of 4096 values, weights only, 1 in 10 exact)");
  ExchangePlan model_up = OmcPlan();
  model_up.uplink_representation = Representation::kModel;
  EXPECT_TRUE(model_up.Validate().ok());
  model_up.uplink.blocks.weights_only = false;
  EXPECT_FALSE(model_up.Validate().ok());
  model_up.uplink = model_up.downlink = *CodecSpec::Parse("s1e3m7/4096+correction");
  EXPECT_THAT(std::string(model_up.Validate().message()), HasSubstr("correction"));
}

// A client that does not move must not move the model: model uploads need a codec that carries the downlink exactly.
TEST(ExchangePlanTest, ModelUploadsNeedACodecThatCarriesTheDownlink) {
  const auto valid = [](const CodecSpec& down, const CodecSpec& up) {
    return ExchangePlan{down, Representation::kModel, up}.Validate().ok();
  };
  EXPECT_TRUE(valid(kSmall, CodecSpec::Fp32()));
  EXPECT_TRUE(valid(kSmall, CodecSpec::Float(8, 23, ScaleRule::kNone)));
  EXPECT_TRUE(valid(kSmall, kSmall));
  EXPECT_TRUE(valid(CodecSpec::Float(4, 3, ScaleRule::kNone), CodecSpec::Float(4, 3, ScaleRule::kNone)));
  EXPECT_FALSE(valid(CodecSpec::Fp32(), kSmall));
  EXPECT_FALSE(valid(CodecSpec::Float(4, 3, ScaleRule::kAbsMax), CodecSpec::Float(4, 3, ScaleRule::kAbsMax)));
  EXPECT_FALSE(valid(kSmall, CodecSpec::Float(3, 6, ScaleRule::kPowerOfTwo)));
  const absl::Status status = ExchangePlan{CodecSpec::Fp32(), Representation::kModel, kSmall}.Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("upload deltas"));
}

TEST(ExchangePlanTest, ErrorFeedbackInASubspaceIsForOneVectorAndUnderABudget) {
  ExchangePlan plan = BudgetPlan(DefaultRdu());
  plan.error_decay = 0.5;
  for (const SubspacePlan& subspace : {IgcStatic(), IgcTimeVarying()}) {
    plan.subspace = subspace;
    EXPECT_TRUE(plan.Validate().ok());
    EXPECT_THAT(plan.Name(), HasSubstr(", error feedback with decay 0.5"));
  }
  plan.subspace = IgcK();
  EXPECT_THAT(std::string(plan.Validate().message()), HasSubstr("another vector each round"));
  ExchangePlan all = IgcPlan(IgcStatic());
  EXPECT_THAT(all.Name(), Not(HasSubstr("feedback")));
  all.error_decay = 1;
  EXPECT_THAT(std::string(all.Validate().message()), HasSubstr("every entry travels"));
}

TEST(ExchangePlanTest, RefusesWhatIsNoPlan) {
  EXPECT_FALSE((ExchangePlan{kSmall, Representation::kFrozen, kSmall}).Validate().ok());
  EXPECT_FALSE((ExchangePlan{{CodecId::kInt64, {}, {}}, Representation::kDelta, kSmall}).Validate().ok());
  const absl::Status status =
      ExchangePlan{kSmall, Representation::kDelta, CodecSpec::Float(3, 40, ScaleRule::kNone)}.Validate();
  EXPECT_THAT(std::string(status.message()), HasSubstr("uplink.value: mantissa_bits is 40"));
}

}  // namespace
}  // namespace thinwire
