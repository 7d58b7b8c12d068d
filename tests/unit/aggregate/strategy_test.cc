#include "server/aggregate/strategy.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;
using Kind = StrategyOptions::Kind;

StrategyOptions Options(Kind kind) {
  StrategyOptions options;
  options.kind = kind;
  return options;
}

TEST(StrategyTest, FedAvgAddsTheMean) {
  std::vector<float> weights = {1, -2, 0.5f};
  ApplyStrategy(Options(Kind::kFedAvg), {0.25f, -1, 0}, absl::MakeSpan(weights), {}, {});
  EXPECT_THAT(weights, ElementsAre(1.25f, -3.0f, 0.5f));
}

// By hand, momentum 0.9 and rate 0.5: v = 1, w = 10.5; v = 0.9 + 2 = 2.9, w = 11.95; v = 2.61, w = 13.255.
TEST(StrategyTest, FedAvgMFollowsTheHandComputedPath) {
  StrategyOptions options = Options(Kind::kFedAvgM);
  options.learning_rate = 0.5;
  std::vector<float> weights = {10};
  std::vector<float> velocity = {0};
  for (const float mean : {1.0f, 2.0f, 0.0f}) {
    ApplyStrategy(options, {mean}, absl::MakeSpan(weights), absl::MakeSpan(velocity), {});
  }
  EXPECT_THAT(velocity, ElementsAre(FloatEq(2.61f)));
  EXPECT_THAT(weights, ElementsAre(FloatEq(13.255f)));
}

// By hand, beta1 0.9, beta2 0.99, rate 0.1, epsilon 0.001, mean 0.5 twice:
// m = 0.05, v = 0.0025, w = 1 + 0.1 * 0.05 / (0.05 + 0.001)           = 1.0980392
// m = 0.095, v = 0.004975, w += 0.1 * 0.095 / (0.0705337 + 0.001)     = 1.2308445
TEST(StrategyTest, FedAdamFollowsTheHandComputedPath) {
  StrategyOptions options = Options(Kind::kFedAdam);
  options.learning_rate = 0.1;
  std::vector<float> weights = {1};
  std::vector<float> first = {0};
  std::vector<float> second = {0};
  ApplyStrategy(options, {0.5f}, absl::MakeSpan(weights), absl::MakeSpan(first), absl::MakeSpan(second));
  EXPECT_THAT(weights, ElementsAre(FloatEq(1.0980392f)));
  ApplyStrategy(options, {0.5f}, absl::MakeSpan(weights), absl::MakeSpan(first), absl::MakeSpan(second));
  EXPECT_THAT(first, ElementsAre(FloatEq(0.095f)));
  EXPECT_THAT(second, ElementsAre(FloatEq(0.004975f)));
  EXPECT_NEAR(weights[0], 1.2308445f, 1e-6);
}

TEST(StrategyTest, AZeroMeanWithZeroStateLeavesEveryBit) {
  for (const Kind kind : {Kind::kFedAvg, Kind::kFedAvgM, Kind::kFedAdam}) {
    const std::vector<float> before = {-0.0f, 0.0f, 1e-45f, -3.25f, std::numeric_limits<float>::max()};
    std::vector<float> weights = before;
    std::vector<float> state1(before.size());
    std::vector<float> state2(before.size());
    const std::vector<float> zeros(before.size());
    ApplyStrategy(Options(kind), zeros, absl::MakeSpan(weights), absl::MakeSpan(state1), absl::MakeSpan(state2));
    ApplyMean(zeros, absl::MakeSpan(weights));
    for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(FloatBits(weights[i]), FloatBits(before[i])) << i;
    EXPECT_EQ(state1, zeros);
    EXPECT_EQ(state2, zeros);
  }
}

TEST(StrategyTest, OptionsOutOfRangeAreNamed) {
  EXPECT_THAT(StrategyOptions().Validate(), IsOk());
  StrategyOptions options = Options(Kind::kFedAdam);
  EXPECT_THAT(options.Validate(), IsOk());
  options.beta2 = 1;
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("beta2 is 1")));
  options = Options(Kind::kFedAdam);
  options.epsilon = 0;
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("epsilon")));
  options = Options(Kind::kFedAvgM);
  options.momentum = std::nan("");
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("momentum")));
  options = Options(Kind::kFedAvg);
  options.learning_rate = std::numeric_limits<double>::infinity();
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("learning_rate")));
}

}  // namespace
}  // namespace thinwire
