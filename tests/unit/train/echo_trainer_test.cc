#include "client/train/echo_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Trainer> Echo(uint64_t parameters) {
  EchoOptions options;
  options.parameters = parameters;
  options.examples = 5;
  return MakeEchoTrainer(options).value();
}

TrainRequest Request(double rate, uint64_t seed) {
  TrainRequest request;
  request.options.learning_rate = rate;
  request.seed = seed;
  return request;
}

bool SameBits(const ModelState& a, const ModelState& b) {
  for (size_t i = 0; i < a.floats.size(); ++i) {
    if (a.floats[i].size() != b.floats[i].size()) return false;
    if (a.floats[i].empty()) continue;
    if (std::memcmp(a.floats[i].data(), b.floats[i].data(), a.floats[i].size() * sizeof(float)) != 0) return false;
  }
  return a.spec == b.spec && a.ints == b.ints;
}

TEST(EchoTrainer, MakesTenTensorsOfEqualSize) {
  const ModelState state = Echo(1003)->Initialize(1).value();
  ASSERT_EQ(state.spec.tensors().size(), 10u);
  EXPECT_EQ(state.spec.total_count(), 1003u);
  EXPECT_EQ(state.spec.tensors()[0].count(), 101u);
  EXPECT_EQ(state.spec.tensors()[9].count(), 100u);
  EXPECT_EQ(Echo(3)->Initialize(1).value().spec.tensors().size(), 3u);
}

TEST(EchoTrainer, TakesAnyModelUnlessOneIsGiven) {
  EXPECT_TRUE(Echo(10)->model().tensors().empty());
  EchoOptions options;
  options.spec = ModelSpec::Create({{"a", {2, 3}}, {"n", {}, DataType::kInt64, TensorRole::kBuffer}}).value();
  const auto trainer = MakeEchoTrainer(options).value();
  EXPECT_EQ(trainer->model(), *options.spec);
  EXPECT_EQ(trainer->Initialize(1).value().spec, *options.spec);
}

TEST(EchoTrainer, LeavesTheBitsAtRateZeroEvenOfOddNumbers) {
  const auto trainer = Echo(100);
  ModelState state = trainer->Initialize(1).value();
  state.floats[0][0] = -0.0f;
  state.floats[0][1] = std::numeric_limits<float>::denorm_min();
  state.floats[0][2] = std::numeric_limits<float>::quiet_NaN();
  const ModelState before = state;
  ASSERT_TRUE(trainer->Train(Request(0, 9), &state).ok());
  EXPECT_TRUE(SameBits(before, state));
}

TEST(EchoTrainer, GivesTheSameForASeedAndOtherwiseNot) {
  const auto trainer = Echo(1000);
  EXPECT_TRUE(SameBits(trainer->Initialize(1).value(), trainer->Initialize(1).value()));
  EXPECT_FALSE(SameBits(trainer->Initialize(1).value(), trainer->Initialize(2).value()));
  ModelState a = trainer->Initialize(1).value(), b = a, c = a;
  ASSERT_TRUE(trainer->Train(Request(0.1, 3), &a).ok());
  ASSERT_TRUE(trainer->Train(Request(0.1, 3), &b).ok());
  ASSERT_TRUE(trainer->Train(Request(0.1, 4), &c).ok());
  EXPECT_TRUE(SameBits(a, b));
  EXPECT_FALSE(SameBits(a, c));
}

TEST(EchoTrainer, AddsUniformNoiseOfTheSizeOfTheRate) {
  const auto trainer = Echo(1'000'000);
  ModelState state = trainer->Initialize(1).value();
  const ModelState before = state;
  ASSERT_TRUE(trainer->Train(Request(0.5, 3), &state).ok());
  double sum = 0, squares = 0, largest = 0;
  std::vector<float> distinct;
  for (size_t t = 0; t < state.floats.size(); ++t) {
    for (size_t i = 0; i < state.floats[t].size(); ++i) {
      const double noise = double{state.floats[t][i]} - before.floats[t][i];
      sum += noise;
      squares += noise * noise;
      largest = std::max(largest, std::fabs(noise));
      distinct.push_back(state.floats[t][i]);
    }
  }
  EXPECT_NEAR(sum / 1e6, 0, 0.0015);
  EXPECT_NEAR(squares / 1e6, 0.25 / 3, 0.0005);
  EXPECT_GT(largest, 0.4999);
  EXPECT_LE(largest, 0.5000001);
  std::sort(distinct.begin(), distinct.end());
  EXPECT_GT(std::unique(distinct.begin(), distinct.end()) - distinct.begin(), 900'000);
}

TEST(EchoTrainer, TouchesTrainableTensorsOnly) {
  ModelState state(ModelSpec::Create({{"w", {4}},
                                      {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                                      {"table", {4}, DataType::kFloat32, TensorRole::kFrozen},
                                      {"steps", {}, DataType::kInt64, TensorRole::kBuffer}})
                       .value());
  const auto trainer = Echo(10);
  const auto result = trainer->Train(Request(1, 1), &state);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->examples, 5u);
  EXPECT_THAT(state.floats[0], ::testing::Each(::testing::Ne(0)));
  EXPECT_THAT(state.floats[1], ::testing::Each(0));
  EXPECT_THAT(state.floats[2], ::testing::Each(0));
  EXPECT_EQ(state.ints[3][0], 0);
}

TEST(EchoTrainer, EvaluatesTheRootMeanSquare) {
  ModelState state(ModelSpec::Create({{"w", {2}}, {"mean", {1}, DataType::kFloat32, TensorRole::kBuffer}}).value());
  state.floats = {{3, 1}, {100}};
  const auto result = Echo(10)->Evaluate(state);
  ASSERT_TRUE(result.ok());
  EXPECT_DOUBLE_EQ(result->loss, std::sqrt(5.0));
}

TEST(EchoTrainer, StopsWhenCancelledAndRefusesARateThatIsNoNumber) {
  const auto trainer = Echo(100);
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = Request(1, 1);
  request.cancelled = [] { return true; };
  EXPECT_EQ(trainer->Train(request, &state).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(trainer->Train(Request(NAN, 1), &state).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EchoTrainer, RefusesSizesThatMakeNoSense) {
  EchoOptions options;
  options.parameters = 0;
  EXPECT_THAT(std::string(MakeEchoTrainer(options).status().message()), HasSubstr("0 echo parameters; 1 to"));
  options.parameters = ~uint64_t{0};
  EXPECT_FALSE(MakeEchoTrainer(options).ok());
  options.parameters = 1;
  options.examples = 0;
  EXPECT_FALSE(MakeEchoTrainer(options).ok());
}

}  // namespace
}  // namespace thinwire
