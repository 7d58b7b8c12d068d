// FetchSGD's server: what one round does to momentum, error and weights, and the version that it writes.
#include "server/aggregate/fetch_sgd.h"

#include <cmath>
#include <memory>
#include <vector>

#include "common/sketch/count_sketch.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/aggregate/accumulator.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::ElementsAre;

constexpr uint64_t kSeed = 3;
constexpr uint64_t kDimension = 1000;

SketchPlan Plan(uint64_t columns, uint64_t k, double momentum) {
  SketchPlan plan;
  plan.columns = columns;
  plan.k = k;
  plan.momentum = momentum;
  return plan;
}

class Server {
 public:
  explicit Server(const SketchPlan& plan)
      : plan_(plan), sketch_(plan, kSeed), momentum(sketch_.table_size()), error(sketch_.table_size()) {}
  SparseEntries Round(const std::vector<float>& update) {
    return FetchSgdStep(plan_, kSeed, kDimension, SketchOf(update), absl::MakeSpan(momentum), absl::MakeSpan(error));
  }
  std::vector<float> SketchOf(const std::vector<float>& values) const {
    std::vector<double> sums(sketch_.table_size());
    sketch_.Add(0, values, absl::MakeSpan(sums));
    return {sums.begin(), sums.end()};
  }
  double ErrorOf(uint64_t position) const { return sketch_.Estimate(error, position); }

 private:
  const SketchPlan plan_;
  const CountSketch sketch_;

 public:
  std::vector<float> momentum, error;
};

std::vector<float> With(uint64_t position, float value) {
  std::vector<float> values(kDimension);
  values[position] = value;
  return values;
}

TEST(FetchSgdTest, TheLargestEntriesMoveAndTheOthersWaitInTheError) {
  Server server(Plan(5000, 1, 0));
  std::vector<float> update = With(7, 4.0f);
  update[100] = -3.0f;
  const SparseEntries first = server.Round(update);
  EXPECT_THAT(first.positions, ElementsAre(7));
  EXPECT_THAT(first.values, ElementsAre(4.0f));
  EXPECT_EQ(server.ErrorOf(7), 0);
  EXPECT_EQ(server.ErrorOf(100), -3);
  // Nothing new comes: what waited moves now, and then nothing is left.
  const SparseEntries second = server.Round(std::vector<float>(kDimension));
  EXPECT_THAT(second.positions, ElementsAre(100));
  EXPECT_THAT(second.values, ElementsAre(-3.0f));
  EXPECT_TRUE(server.Round(std::vector<float>(kDimension)).positions.empty());
}

TEST(FetchSgdTest, SmallUpdatesAddUpUntilTheyAreLargeEnough) {
  Server server(Plan(5000, 1, 0));
  std::vector<float> update = With(7, 2.5f);
  update[100] = 1.0f;
  for (int round = 0; round < 2; ++round) EXPECT_THAT(server.Round(update).positions, ElementsAre(7));
  const SparseEntries third = server.Round(update);
  EXPECT_THAT(third.positions, ElementsAre(100));
  EXPECT_THAT(third.values, ElementsAre(3.0f));
}

TEST(FetchSgdTest, MomentumBuildsUpUntilItsEntryMovesAndIsMaskedThen) {
  Server server(Plan(5000, 1, 0.5));
  std::vector<float> update = With(7, 8.0f);
  update[100] = 1.0f;
  ASSERT_THAT(server.Round(update).positions, ElementsAre(7));
  // 100: momentum 1, then 0.5 * 1; the error adds both. 7 was masked, so nothing of it comes back.
  const SparseEntries second = server.Round(std::vector<float>(kDimension));
  EXPECT_THAT(second.positions, ElementsAre(100));
  EXPECT_THAT(second.values, ElementsAre(1.5f));
  EXPECT_TRUE(server.Round(std::vector<float>(kDimension)).positions.empty());
}

// As in algorithm 1: the error sketch loses the sketch of what was applied and nothing else.
TEST(FetchSgdTest, SubtractingLeavesOtherEntriesOfTheSameCells) {
  SketchPlan plan = Plan(50, 5, 0);
  plan.subtract = true;
  Server server(plan);
  std::vector<float> update(kDimension);
  for (size_t i = 0; i < kDimension; ++i) update[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
  const std::vector<float> before = server.SketchOf(update);
  const SparseEntries step = server.Round(update);
  ASSERT_EQ(step.positions.size(), 5u);
  std::vector<float> applied(kDimension);
  for (size_t i = 0; i < 5; ++i) applied[step.positions[i]] = step.values[i];
  const std::vector<float> of_step = server.SketchOf(applied);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(server.error[i], before[i] - of_step[i], 1e-3) << i;
}

// A version from a sketch: k weights move, buffers are averaged, and the state goes on where it stood.
class SketchVersionTest : public testing::Test {
 protected:
  SketchVersionTest()
      : model_(*ModelSpec::Create({{"w", {700}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                   {"steps", {1}, DataType::kInt64, TensorRole::kBuffer},
                                   {"b", {300}, DataType::kFloat32, TensorRole::kTrainable}})),
        plan_(FetchSgdPlan(Plan(5000, 2, 0))),
        sums_spec_(ReducedUpdateSpec(plan_, model_)) {
    ModelState weights(model_);
    weights.floats[1] = {1, 2};
    ModelStateSource source(weights);
    EXPECT_THAT(WriteSafetensors(folder_.Path("w0"), model_, source), IsOk());
  }

  // One client's update, by weight 1, becomes version `number`.
  absl::StatusOr<WrittenVersion> Publish(int number, const std::vector<float>& update) {
    auto sums = Accumulator::Create(sums_spec_, *ChooseFixedPoint(sums_spec_, {100, 100, 100}, 10, 2)).value();
    const CountSketch sketch(*plan_.sketch, SketchSeed(kSeed));
    std::vector<double> table(sketch.table_size());
    sketch.Add(0, update, absl::MakeSpan(table));
    sums->AddFloats(0, 0, std::vector<float>(table.begin(), table.end()), 1);
    sums->AddFloats(1, 0, {0.5f, -0.5f}, 1);
    const std::vector<int64_t> steps = {number};
    sums->MaxInts(2, 0, steps);
    EXPECT_THAT(sums->Admit(1), IsOk());
    sums->CountUpdate(1);
    PublishRequest request;
    request.old_weights = folder_.Path("w" + std::to_string(number - 1));
    request.new_weights = folder_.Path("w" + std::to_string(number));
    if (number > 1) request.old_state = folder_.Path("s" + std::to_string(number - 1));
    request.new_state = folder_.Path("s" + std::to_string(number));
    request.strategy.sketch = plan_.sketch;
    request.strategy.run_seed = kSeed;
    return WriteNewVersion(model_, *sums, request);
  }
  ModelState Read(int number) {
    SafetensorsReader reader = SafetensorsReader::Open(folder_.Path("w" + std::to_string(number))).value();
    ModelState state(model_);
    for (uint32_t i : {0u, 1u, 3u}) EXPECT_THAT(reader.ReadFloats(i, 0, absl::MakeSpan(state.floats[i])), IsOk());
    EXPECT_THAT(reader.ReadInts(2, 0, absl::MakeSpan(state.ints[2])), IsOk());
    return state;
  }

  TemporaryDirectory folder_;
  const ModelSpec model_;
  const ExchangePlan plan_;
  const ModelSpec sums_spec_;
};

TEST_F(SketchVersionTest, EntriesMoveInTheirTensorsBuffersAreAveragedAndTheRestComesNextTime) {
  std::vector<float> update(1000);
  update[699] = 4;
  update[700] = -5;  // the first value of the last tensor
  update[10] = 1;
  ASSERT_THAT(Publish(1, update), IsOk());
  const ModelState first = Read(1);
  EXPECT_FLOAT_EQ(first.floats[0][699], 4);
  EXPECT_FLOAT_EQ(first.floats[3][0], -5);
  EXPECT_EQ(first.floats[0][10], 0);
  EXPECT_THAT(first.floats[1], ElementsAre(1.5f, 1.5f));
  EXPECT_THAT(first.ints[2], ElementsAre(1));
  ASSERT_THAT(Publish(2, std::vector<float>(1000)), IsOk());
  const ModelState second = Read(2);
  EXPECT_FLOAT_EQ(second.floats[0][10], 1);
  EXPECT_FLOAT_EQ(second.floats[0][699], 4);
}

TEST_F(SketchVersionTest, TheSameRoundGivesTheSameFiles) {
  std::vector<float> update(1000);
  for (size_t i = 0; i < 1000; ++i) update[i] = static_cast<float>(i % 17) * 0.1f;
  ASSERT_OK_AND_ASSIGN(const WrittenVersion once, Publish(1, update));
  ASSERT_OK_AND_ASSIGN(const WrittenVersion again, Publish(1, update));
  EXPECT_EQ(once.weights_sha256, again.weights_sha256);
  EXPECT_EQ(once.state_sha256, again.state_sha256);
  EXPECT_FALSE(once.state_sha256.empty());
}

TEST_F(SketchVersionTest, StateOfAnotherShapeIsRefused) {
  ASSERT_THAT(Publish(1, std::vector<float>(1000)), IsOk());
  const std::string state = folder_.Path("s1");
  ModelState other(*ModelSpec::Create({{"sketch.momentum", {5, 7}, DataType::kFloat32, TensorRole::kBuffer},
                                       {"sketch.error", {5, 7}, DataType::kFloat32, TensorRole::kBuffer}}));
  ModelStateSource source(other);
  ASSERT_THAT(WriteSafetensors(state, other.spec, source), IsOk());
  EXPECT_THAT(Publish(2, std::vector<float>(1000)),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("another plan")));
}

}  // namespace
}  // namespace thinwire
