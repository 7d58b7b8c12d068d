#include "common/sketch/top_k.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::ElementsAre;

TEST(TopKTest, LargestMagnitudesAreTakenAndTiesGoToTheLowerPosition) {
  TopKSelector selector(3);
  selector.Add(0, {1.0f, -2.0f, 2.0f});
  selector.Add(3, {-5.0f, 2.0f, -2.0f});
  const SparseEntries taken = selector.Take();
  EXPECT_THAT(taken.positions, ElementsAre(1, 2, 3));
  EXPECT_THAT(taken.values, ElementsAre(-2.0f, 2.0f, -5.0f));
}

TEST(TopKTest, ZerosAreEntriesLikeOthers) {
  TopKSelector selector(2);
  selector.Add(0, {0.0f, -0.0f, 0.0f});
  EXPECT_THAT(selector.Take().positions, ElementsAre(0, 1));
}

TEST(TopKTest, FewerValuesThanKAreAllTaken) {
  TopKSelector selector(100);
  selector.Add(7, {3.0f, 1.0f});
  EXPECT_THAT(selector.Take().positions, ElementsAre(7, 8));
  EXPECT_TRUE(TopKSelector(4).Take().positions.empty());
}

// Values with many ties, in pieces of many sizes, against a sort of all.
TEST(TopKTest, TheChoiceIsThatOfASortHoweverValuesAreCut) {
  RandomStream random(1);
  std::vector<float> values(5000);
  for (float& value : values) value = static_cast<float>(static_cast<int>(random.Below(201)) - 100);
  std::vector<uint64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint64_t a, uint64_t b) { return std::fabs(values[a]) > std::fabs(values[b]); });
  for (const size_t k : {1, 10, 777, 4999}) {
    std::vector<uint64_t> expected(order.begin(), order.begin() + static_cast<ptrdiff_t>(k));
    std::sort(expected.begin(), expected.end());
    for (const size_t piece : {1, 13, 4096}) {
      TopKSelector selector(k);
      for (size_t first = 0; first < values.size(); first += piece) {
        selector.Add(first, absl::MakeConstSpan(values).subspan(first, piece));
      }
      EXPECT_EQ(selector.Take().positions, expected) << k << " in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace thinwire
