#include "server/aggregate/accumulator.h"

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kCount = 3 * kBlockValues + 17;

ModelSpec Spec() {
  return *ModelSpec::Create({{"w", {static_cast<int64_t>(kCount)}, DataType::kFloat32, TensorRole::kTrainable},
                             {"steps", {2}, DataType::kInt64, TensorRole::kBuffer},
                             {"table", {5}, DataType::kFloat32, TensorRole::kFrozen}});
}

std::unique_ptr<Accumulator> MakeAccumulator(double bound, uint64_t max_weight, uint32_t max_updates) {
  const FixedPoint fixed_point = *ChooseFixedPoint(Spec(), {bound, bound, bound}, max_weight, max_updates);
  return *Accumulator::Create(Spec(), fixed_point);
}

struct Update {
  std::vector<float> values;
  std::vector<int64_t> ints;
  uint64_t weight = 1;
};

std::vector<Update> RandomUpdates(int count) {
  RandomStream random(7);
  std::vector<Update> updates(count);
  for (Update& update : updates) {
    update.values.resize(kCount);
    for (float& value : update.values) {
      const double magnitude = std::ldexp(1.0, -static_cast<int>(random.Below(30)));
      value = static_cast<float>((random.NextDouble() - 0.5) * magnitude);
    }
    update.weight = 1 + random.Below(1000);
    update.ints = {static_cast<int64_t>(random.NextU64()), static_cast<int64_t>(random.Below(100))};
  }
  return updates;
}

void AddWhole(const Update& update, Accumulator* accumulator) {
  ASSERT_THAT(accumulator->Admit(update.weight), IsOk());
  for (uint64_t block = 0; block < BlockCount(kCount); ++block) {
    const uint64_t first = block * kBlockValues;
    const absl::Span<const float> part(update.values.data() + first, BlockSize(kCount, block));
    ASSERT_THAT(accumulator->CheckFloats(0, first, part), IsOk());
    accumulator->AddFloats(0, first, part, update.weight);
  }
  accumulator->MaxInts(1, 0, update.ints);
  accumulator->CountUpdate(update.weight);
}

std::vector<float> MeanOf(const Accumulator& accumulator) {
  std::vector<float> mean(kCount);
  EXPECT_THAT(accumulator.MeanFloats(0, 0, absl::MakeSpan(mean)), IsOk());
  return mean;
}

std::vector<int64_t> MaximaOf(const Accumulator& accumulator) {
  std::vector<int64_t> maxima(2);
  EXPECT_THAT(accumulator.MaxedInts(1, 0, absl::MakeSpan(maxima)), IsOk());
  return maxima;
}

TEST(AccumulatorTest, TheMeanIsTheWeightedMean) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(4, 10, 2);
  AddWhole({std::vector<float>(kCount, 1.5f), {3, -5}, 1}, accumulator.get());
  AddWhole({std::vector<float>(kCount, -0.5f), {2, -4}, 3}, accumulator.get());
  EXPECT_EQ(MeanOf(*accumulator), std::vector<float>(kCount, 0.0f));
  EXPECT_EQ(MaximaOf(*accumulator), (std::vector<int64_t>{3, -4}));
  EXPECT_EQ(accumulator->total_weight(), 4u);
  EXPECT_EQ(accumulator->updates(), 2u);
}

TEST(AccumulatorTest, NeitherOrderNorThreadsChangeASingleBit) {
  std::vector<Update> updates = RandomUpdates(9);
  const std::unique_ptr<Accumulator> reference = MakeAccumulator(1, 1000, 9);
  for (const Update& update : updates) AddWhole(update, reference.get());
  const std::vector<float> expected = MeanOf(*reference);
  RandomStream random(3);
  for (const int threads : {1, 2, 3, 9}) {
    random.Shuffle(updates);
    const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 1000, 9);
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        for (size_t i = t; i < updates.size(); i += threads) AddWhole(updates[i], accumulator.get());
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(MeanOf(*accumulator), expected) << threads << " threads";
    EXPECT_EQ(MaximaOf(*accumulator), MaximaOf(*reference)) << threads << " threads";
  }
}

TEST(AccumulatorTest, PartialSumsMergeToTheSameBits) {
  const std::vector<Update> updates = RandomUpdates(6);
  const std::unique_ptr<Accumulator> whole = MakeAccumulator(1, 1000, 6);
  const std::unique_ptr<Accumulator> left = MakeAccumulator(1, 1000, 6);
  const std::unique_ptr<Accumulator> right = MakeAccumulator(1, 1000, 6);
  for (size_t i = 0; i < updates.size(); ++i) {
    AddWhole(updates[i], whole.get());
    AddWhole(updates[i], i % 2 == 0 ? left.get() : right.get());
  }
  ASSERT_THAT(left->MergeWith(*right), IsOk());
  EXPECT_EQ(MeanOf(*left), MeanOf(*whole));
  EXPECT_EQ(MaximaOf(*left), MaximaOf(*whole));
  EXPECT_EQ(left->total_weight(), whole->total_weight());
  EXPECT_THAT(left->MergeWith(*right), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("9 updates")));
}

TEST(AccumulatorTest, AnEmptyPartialSumMergesToNothing) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(4, 10, 2);
  AddWhole({std::vector<float>(kCount, 1.5f), {3, -5}, 1}, accumulator.get());
  ASSERT_THAT(accumulator->MergeWith(*MakeAccumulator(4, 10, 2)), IsOk());
  EXPECT_EQ(MeanOf(*accumulator), std::vector<float>(kCount, 1.5f));
  EXPECT_THAT(accumulator->MergeWith(*MakeAccumulator(8, 10, 2)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(AccumulatorTest, TheLargestLawfulSumsDoNotOverflow) {
  constexpr uint64_t kWeight = (uint64_t{1} << 30) - 1;
  constexpr uint32_t kUpdates = 255;
  for (const float sign : {1.0f, -1.0f}) {
    const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, kWeight, kUpdates);
    const std::vector<float> extreme(7, sign);
    ASSERT_THAT(accumulator->CheckFloats(0, 0, extreme), IsOk());
    for (uint32_t i = 0; i < kUpdates; ++i) {
      ASSERT_THAT(accumulator->Admit(kWeight), IsOk());
      accumulator->AddFloats(0, 0, extreme, kWeight);
      accumulator->CountUpdate(kWeight);
    }
    std::vector<float> mean(7);
    ASSERT_THAT(accumulator->MeanFloats(0, 0, absl::MakeSpan(mean)), IsOk());
    EXPECT_EQ(mean, extreme);
  }
}

TEST(AccumulatorTest, ThereIsRoomForAsManyUpdatesAsTheRulesSay) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 10, 1);
  EXPECT_THAT(accumulator->Admit(0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight 0")));
  EXPECT_THAT(accumulator->Admit(11), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 10")));
  EXPECT_THAT(accumulator->Admit(10), IsOk());
  EXPECT_THAT(accumulator->Admit(10), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(AccumulatorTest, ZerosOfEitherSignSumToPlainZero) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 1, 1);
  AddWhole({std::vector<float>(kCount, -0.0f), {0, 0}, 1}, accumulator.get());
  for (const float value : MeanOf(*accumulator)) ASSERT_EQ(FloatBits(value), 0u);
}

TEST(AccumulatorTest, ValuesAreRoundedToTheNearestQuantumTiesToEven) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 1, 1);  // quantum 2^-50
  std::vector<float> values(kCount, 0.0f);
  const float quantum = std::ldexp(1.0f, -50);
  values[0] = 0.5f * quantum;
  values[1] = 1.5f * quantum;
  values[2] = -0.75f * quantum;
  values[3] = 0.25f * quantum;
  AddWhole({values, {0, 0}, 1}, accumulator.get());
  const std::vector<float> mean = MeanOf(*accumulator);
  EXPECT_EQ(mean[0], 0.0f);
  EXPECT_EQ(mean[1], 2 * quantum);
  EXPECT_EQ(mean[2], -quantum);
  EXPECT_EQ(mean[3], 0.0f);
}

TEST(AccumulatorTest, ValuesThatDoNotFitAreNamed) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(256, 1, 1);
  std::vector<float> values(100, 256.0f);
  EXPECT_THAT(accumulator->CheckFloats(0, 0, values), IsOk());
  for (const float bad : {std::nextafter(256.0f, 1000.0f), -257.0f, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    values[42] = bad;
    EXPECT_THAT(accumulator->CheckFloats(0, 1000, values),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'w' value 1042")))
        << bad;
  }
}

TEST(AccumulatorTest, WithoutUpdatesOrWhenSpoiledThereIsNoMean) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 1, 1);
  std::vector<float> mean(1);
  EXPECT_THAT(accumulator->MeanFloats(0, 0, absl::MakeSpan(mean)), StatusIs(absl::StatusCode::kFailedPrecondition));
  AddWhole({std::vector<float>(kCount, 0.5f), {0, 0}, 1}, accumulator.get());
  EXPECT_THAT(accumulator->MeanFloats(0, 0, absl::MakeSpan(mean)), IsOk());
  accumulator->Spoil();
  EXPECT_THAT(accumulator->MeanFloats(0, 0, absl::MakeSpan(mean)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("again")));
}

TEST(AccumulatorTest, IntegersKeepTheirMaximumOverTheWholeRange) {
  const std::unique_ptr<Accumulator> accumulator = MakeAccumulator(1, 1, 2);
  const std::vector<float> nothing(kCount, 0.0f);
  AddWhole({nothing, {std::numeric_limits<int64_t>::min(), -7}, 1}, accumulator.get());
  EXPECT_EQ(MaximaOf(*accumulator), (std::vector<int64_t>{std::numeric_limits<int64_t>::min(), -7}));
  AddWhole({nothing, {std::numeric_limits<int64_t>::max(), -8}, 1}, accumulator.get());
  EXPECT_EQ(MaximaOf(*accumulator), (std::vector<int64_t>{std::numeric_limits<int64_t>::max(), -7}));
}

}  // namespace
}  // namespace thinwire
