#include "client/speech/features.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

TEST(NormalizeColumns, EachColumnGetsMeanZeroAndVarianceOne) {
  Features features{4, 2, {1, 7, 3, 7, 5, 7, 7, 7}};
  NormalizeColumns(&features);
  // 1 3 5 7: mean 4, variance 5. The constant column becomes 0.
  EXPECT_THAT(features.values,
              Pointwise(FloatNear(1e-6f), {-1.341641f, 0.f, -0.447214f, 0.f, 0.447214f, 0.f, 1.341641f, 0.f}));
}

TEST(StackFrames, JoinsNeighboursAndDropsTheRest) {
  Features features{5, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  StackFrames(2, &features);
  EXPECT_EQ(features.frames, 2u);
  EXPECT_EQ(features.width, 4u);
  EXPECT_THAT(features.values, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  StackFrames(1, &features);
  EXPECT_EQ(features.frames, 2u);
}

std::vector<float> Masked(const MaskRule& rule, uint64_t seed) {
  std::vector<float> values(200 * 40, 1.0f);
  MaskFeatures(rule, seed, 40, absl::MakeSpan(values));
  return values;
}

TEST(MaskFeatures, TheSameSeedMasksTheSame) {
  const MaskRule rule;
  EXPECT_EQ(Masked(rule, 1), Masked(rule, 1));
  EXPECT_NE(Masked(rule, 1), Masked(rule, 2));
}

TEST(MaskFeatures, MasksBandsNoWiderThanAllowed) {
  MaskRule rule;
  rule.time_masks = rule.column_masks = 1;
  std::set<size_t> frames_masked, columns_masked;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<float> values = Masked(rule, seed);
    std::vector<bool> frame(200, true), column(40, true);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != 0) frame[i / 40] = column[i % 40] = false;
    }
    const auto band = [](const std::vector<bool>& masked) {
      const auto first = std::find(masked.begin(), masked.end(), true);
      const auto last = std::find(first, masked.end(), false);
      EXPECT_EQ(std::count(last, masked.end(), true), 0) << "not one band";
      return static_cast<size_t>(last - first);
    };
    frames_masked.insert(band(frame));
    columns_masked.insert(band(column));
  }
  // 0 to 20 frames and 0 to 15 % of 40 columns.
  EXPECT_EQ(*frames_masked.rbegin(), 20u);
  EXPECT_EQ(frames_masked.size(), 21u);
  EXPECT_EQ(*columns_masked.rbegin(), 6u);
  EXPECT_EQ(columns_masked.size(), 7u);
}

TEST(MaskFeatures, ShortUtterancesKeepMostOfTheirFrames) {
  MaskRule rule;
  rule.time_masks = 1;
  rule.column_masks = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<float> values(16, 1.0f);
    MaskFeatures(rule, seed, 1, absl::MakeSpan(values));
    EXPECT_LE(std::count(values.begin(), values.end(), 0.0f), 2);
  }
}

TEST(MaskFeatures, NothingToMaskIsFine) {
  MaskFeatures(MaskRule(), 1, 40, {});
  MaskRule none;
  none.time_masks = none.column_masks = 0;
  EXPECT_THAT(Masked(none, 1), Each(1.0f));
}

}  // namespace
}  // namespace thinwire
