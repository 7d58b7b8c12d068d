#include "server/aggregate/column_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"

namespace thinwire {
namespace {

TEST(SortKeysTest, KeepTheOrderOfFloatsAndGiveTheirBitsBack) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> ascending = {-inf, -3.4e38f, -1, -1e-45f, -0.0f, 0.0f, 1e-45f, 1e-38f, 1, 3.4e38f, inf};
  std::vector<int32_t> keys(ascending.size());
  ToSortKeys(ascending, keys.data());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(i == 0 || keys[i - 1] < keys[i]) << ascending[i];
    EXPECT_EQ(FloatBits(FromSortKey(keys[i])), FloatBits(ascending[i]));
  }
}

TEST(SortColumnsTest, EveryColumnOfEveryHeightIsSorted) {
  RandomStream random(7);
  constexpr size_t kColumns = 37;
  constexpr size_t kStride = 41;
  for (size_t rows = 1; rows <= 70; ++rows) {
    std::vector<int32_t> keys(rows * kStride, 12345);
    std::vector<std::vector<int32_t>> expected(kColumns);
    for (size_t row = 0; row < rows; ++row) {
      for (size_t column = 0; column < kColumns; ++column) {
        // Few values in even columns, so that there are ties.
        const auto key = static_cast<int32_t>(random.NextDouble() * (column % 2 == 0 ? 5 : 1e9)) - 2;
        keys[row * kStride + column] = key;
        expected[column].push_back(key);
      }
    }
    SortColumns({keys.data(), rows, kStride, kColumns});
    for (size_t column = 0; column < kColumns; ++column) {
      std::sort(expected[column].begin(), expected[column].end());
      for (size_t row = 0; row < rows; ++row) {
        ASSERT_EQ(keys[row * kStride + column], expected[column][row]) << rows << " rows, " << row << " " << column;
      }
    }
    for (size_t row = 0; row < rows; ++row) {
      for (size_t i = kColumns; i < kStride; ++i) ASSERT_EQ(keys[row * kStride + i], 12345);  // beside the columns
    }
  }
}

TEST(MeanOfRowsTest, SumsInDoubleAndLeavesTheOtherRowsOut) {
  const std::vector<float> values = {-1e30f, 1.0f, 1.0f + 1.2e-7f, 1e30f};
  std::vector<int32_t> keys(values.size() * 1000);
  for (size_t row = 0; row < values.size(); ++row) {
    ToSortKeys(std::vector<float>(1000, values[row]), keys.data() + row * 1000);
  }
  std::vector<float> mean(1000);
  MeanOfRows({keys.data(), values.size(), 1000, 1000}, 1, 3, absl::MakeSpan(mean));
  for (const float value : mean) ASSERT_EQ(value, static_cast<float>((1.0 + double{values[2]}) / 2));
  MeanOfRows({keys.data(), values.size(), 1000, 1000}, 3, 4, absl::MakeSpan(mean));
  EXPECT_EQ(mean[999], 1e30f);
}

}  // namespace
}  // namespace thinwire
