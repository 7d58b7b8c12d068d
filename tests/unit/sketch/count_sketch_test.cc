// Count sketches: linear, the same on every machine, and large entries come out of them.
#include "common/sketch/count_sketch.h"

#include <cmath>
#include <vector>

#include "common/base/rng.h"
#include "common/sketch/top_k.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

SketchPlan Plan(uint32_t rows, uint64_t columns) {
  SketchPlan plan;
  plan.rows = rows;
  plan.columns = columns;
  plan.k = 1;
  return plan;
}

std::vector<float> Noise(size_t count, uint64_t seed, double scale) {
  RandomStream random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>((random.NextDouble() - 0.5) * scale);
  return values;
}

std::vector<double> SketchOf(const CountSketch& sketch, const std::vector<float>& values) {
  std::vector<double> table(sketch.table_size());
  sketch.Add(0, values, absl::MakeSpan(table));
  return table;
}

TEST(CountSketchTest, TheSketchOfASumIsTheSumOfSketches) {
  const CountSketch sketch(Plan(5, 100), 7);
  std::vector<float> a = Noise(3000, 1, 1), b = Noise(3000, 2, 1), sum(3000);
  for (size_t i = 0; i < sum.size(); ++i) {
    a[i] = std::round(a[i] * 1024);  // whole numbers: sums are exact
    b[i] = std::round(b[i] * 1024);
    sum[i] = a[i] + b[i];
  }
  const std::vector<double> of_a = SketchOf(sketch, a), of_b = SketchOf(sketch, b), of_sum = SketchOf(sketch, sum);
  for (size_t i = 0; i < of_sum.size(); ++i) EXPECT_EQ(of_sum[i], of_a[i] + of_b[i]);
}

TEST(CountSketchTest, PiecesOfAVectorGiveItsSketch) {
  const CountSketch sketch(Plan(4, 64), 7);
  const std::vector<float> values = Noise(1000, 1, 1);
  std::vector<double> table(sketch.table_size());
  for (size_t first = 0; first < values.size(); first += 77) {
    sketch.Add(first, absl::MakeConstSpan(values).subspan(first, 77), absl::MakeSpan(table));
  }
  EXPECT_EQ(table, SketchOf(sketch, values));
}

TEST(CountSketchTest, HeavyHittersAreFoundWithTheirValuesAmongNoise) {
  const CountSketch sketch(Plan(5, 2000), 11);
  std::vector<float> values = Noise(50'000, 3, 0.02);
  const std::vector<uint64_t> heavy = {3, 999, 20'000, 31'415, 49'999};
  for (size_t i = 0; i < heavy.size(); ++i) values[heavy[i]] = (i % 2 == 0 ? 5.0f : -4.0f);
  const std::vector<double> sums = SketchOf(sketch, values);
  const std::vector<float> table(sums.begin(), sums.end());
  std::vector<float> estimates(values.size());
  for (size_t i = 0; i < values.size(); ++i) estimates[i] = sketch.Estimate(table, i);
  TopKSelector selector(heavy.size());
  selector.Add(0, estimates);
  EXPECT_EQ(selector.Take().positions, heavy);
  for (const uint64_t position : heavy) EXPECT_NEAR(estimates[position], values[position], 0.2);
}

TEST(CountSketchTest, EstimatesAreUnbiased) {
  const std::vector<float> values = Noise(2000, 3, 1);
  double error = 0;
  constexpr int kSeeds = 400;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const CountSketch sketch(Plan(1, 100), static_cast<uint64_t>(seed));
    const std::vector<double> sums = SketchOf(sketch, values);
    const std::vector<float> table(sums.begin(), sums.end());
    error += sketch.Estimate(table, 17) - values[17];
  }
  // One estimate's deviation is sqrt(2000 / 12 / 100) = 1.3, that of the mean of 400 of them 0.065.
  EXPECT_NEAR(error / kSeeds, 0, 0.26);
}

TEST(CountSketchTest, ColumnsAreUsedAlikeAndSignsAreBalanced) {
  const CountSketch sketch(Plan(6, 50), 5);
  std::vector<int> uses(sketch.table_size());
  int negative = 0;
  CountSketch::Cells cells;
  for (uint64_t position = 0; position < 50'000; ++position) {
    sketch.Find(position, &cells);
    for (uint32_t row = 0; row < 6; ++row) {
      ASSERT_EQ(cells[row].index / 50, row);
      ++uses[cells[row].index];
      negative += cells[row].negative;
    }
  }
  for (const int count : uses) EXPECT_NEAR(count, 1000, 160);  // 5 deviations
  EXPECT_NEAR(negative, 150'000, 1400);
}

TEST(CountSketchTest, CellsAreThoseOnRecord) {
  const CountSketch sketch(Plan(5, 1000), 0x0123456789abcdefu);
  std::vector<uint64_t> found;
  CountSketch::Cells cells;
  for (const uint64_t position : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 33) + 5}) {
    sketch.Find(position, &cells);
    for (uint32_t row = 0; row < 5; ++row) found.push_back(cells[row].index * 2 + (cells[row].negative ? 1 : 0));
  }
  // By another implementation of Philox: twice the cell's index, plus 1 for a minus.
  EXPECT_THAT(found, testing::ElementsAre(1438, 3543, 4160, 6957, 9956, 1356, 2643, 4791, 7395, 9883, 1594, 2987, 5098,
                                          6292, 8786));
}

}  // namespace
}  // namespace thinwire
