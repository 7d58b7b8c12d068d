// Steps against gradients worked out by hand, and what optimisers keep from round to round.
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

constexpr ImageShape kSmall = {1, 8, 8};

// Zero weights make the gradient simple: all logits are equal, so softmax gives 1/2 for both classes; only the last
// layer's bias has a gradient, 1/2 - (share of the class in the batch).
TEST(TorchOptimizer, OneStepOfSgdFollowsTheGradientByHand) {
  Dataset data = StripedImages(4, kSmall, 2);
  data.labels = {0, 0, 0, 1};
  const auto trainer = MakeTrainer("mlp", data);
  ModelState state(trainer->model());
  TrainRequest request = Request(0.1, 1);
  const auto result = trainer->Train(request, &state);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->loss, std::log(2.0), 1e-6);
  EXPECT_EQ(result->examples, 4u);
  EXPECT_NEAR(state.floats[5][0], -0.1 * (0.5 - 0.75), 1e-7);
  EXPECT_NEAR(state.floats[5][1], -0.1 * (0.5 - 0.25), 1e-7);
  for (size_t i = 0; i < 5; ++i) EXPECT_THAT(state.floats[i], ::testing::Each(0.0f)) << i;
}

TEST(TorchOptimizer, MomentumAddsTheLastStepToTheNext) {
  Dataset data = StripedImages(2, kSmall, 2);
  data.labels = {0, 0};
  const auto trainer = MakeTrainer("mlp", data);
  ModelState state(trainer->model());
  TrainRequest request = Request(0.1, 2);
  request.options.momentum = 0.5;
  ASSERT_TRUE(trainer->Train(request, &state).ok());
  // The first gradient of bias 0 is 1/2 - 1; the second follows from logits 0.05 and -0.05.
  const double second = 1 / (1 + std::exp(-0.1)) - 1;
  EXPECT_NEAR(state.floats[5][0], 0.05 - 0.1 * (0.5 * -0.5 + second), 1e-6);
}

TEST(TorchOptimizer, WeightDecayShrinksWeights) {
  const auto trainer = MakeTrainer("mlp", StripedImages(2, kSmall, 2));
  ModelState state(trainer->model());
  state.floats[0][0] = 2;  // dead: the layers above are 0, so its only gradient is the decay
  TrainRequest request = Request(0.1, 1);
  request.options.weight_decay = 0.5;
  ASSERT_TRUE(trainer->Train(request, &state).ok());
  EXPECT_NEAR(state.floats[0][0], 2 - 0.1 * 0.5 * 2, 1e-6);
}

TEST(TorchOptimizer, TheProximalTermPullsTowardsTheStart) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 4));
  const ModelState start = trainer->Initialize(1).value();
  double last = std::numeric_limits<double>::infinity();
  for (const double mu : {0.0, 1.0, 5.0}) {
    ModelState state = start;
    TrainRequest request = Request(0.1, 30);
    request.options.proximal_mu = mu;
    ASSERT_TRUE(trainer->Train(request, &state).ok());
    EXPECT_LT(Distance(state, start), 0.8 * last) << mu;
    last = Distance(state, start);
  }
}

TrainRequest AdamRequest(bool keep) {
  TrainRequest request = Request(0.01, 3);
  request.options.optimizer = TrainingOptions::Optimizer::kAdam;
  request.options.keep_state = keep;
  return request;
}

// What a second round makes of `start` after a first one on it.
ModelState SecondRound(const TrainRequest& first, const TrainRequest& second) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 4));
  const ModelState start = trainer->Initialize(1).value();
  ModelState warm_up = start, state = start;
  EXPECT_TRUE(trainer->Train(first, &warm_up).ok());
  EXPECT_TRUE(trainer->Train(second, &state).ok());
  return state;
}

TEST(TorchOptimizer, AdamStartsAnewEachRoundUnlessItsStateIsKept) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 4));
  ModelState fresh = trainer->Initialize(1).value();
  ASSERT_TRUE(trainer->Train(AdamRequest(false), &fresh).ok());
  EXPECT_TRUE(SameBits(SecondRound(AdamRequest(false), AdamRequest(false)), fresh));
  EXPECT_FALSE(SameBits(SecondRound(AdamRequest(true), AdamRequest(true)), fresh));
}

TEST(TorchOptimizer, AKeptStateIsNotUsedByARoundThatDoesNotAskForIt) {
  EXPECT_TRUE(SameBits(SecondRound(AdamRequest(true), AdamRequest(false)),
                       SecondRound(AdamRequest(false), AdamRequest(false))));
}

TEST(TorchOptimizer, AFailedRoundDropsTheKeptState) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 4));
  const ModelState start = trainer->Initialize(1).value();
  ModelState fresh = start, state = start;
  ASSERT_TRUE(trainer->Train(AdamRequest(true), &fresh).ok());
  TrainRequest cancelled = AdamRequest(true);
  cancelled.cancelled = [] { return true; };
  ASSERT_FALSE(trainer->Train(cancelled, &state).ok());
  state = start;
  ASSERT_TRUE(trainer->Train(AdamRequest(true), &state).ok());
  EXPECT_TRUE(SameBits(state, fresh));
}

// Adam's first step moves each weight by the rate; AdamW decays the weight itself, Adam the gradient.
TEST(TorchOptimizer, AdamWDecaysTheWeightAndNotTheGradient) {
  const auto trainer = MakeTrainer("mlp", StripedImages(2, kSmall, 2));
  for (const bool decoupled : {false, true}) {
    ModelState state(trainer->model());
    state.floats[0][0] = 2;
    TrainRequest request = AdamRequest(false);
    request.options.local_steps = 1;
    request.options.weight_decay = 0.5;
    request.options.decoupled = decoupled;
    ASSERT_TRUE(trainer->Train(request, &state).ok());
    EXPECT_NEAR(state.floats[0][0], decoupled ? 2 - 0.01 * 0.5 * 2 : 2 - 0.01, 1e-6);
  }
}

}  // namespace
}  // namespace thinwire
