#include "client/train/batch_order.h"

#include <algorithm>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;

std::vector<size_t> EpochSizes(BatchOrder& order) {
  std::vector<size_t> sizes;
  for (uint64_t i = 0; i < order.batches_per_epoch(); ++i) sizes.push_back(order.Next().size());
  return sizes;
}

std::vector<int64_t> Epoch(BatchOrder& order) {
  std::vector<int64_t> indices;
  for (uint64_t i = 0; i < order.batches_per_epoch(); ++i) {
    for (const int64_t index : order.Next()) indices.push_back(index);
  }
  return indices;
}

TEST(BatchOrder, VisitsEverySampleOnceAnEpochInANewOrder) {
  BatchOrder order(100, 32, 1, 5);
  const std::vector<int64_t> first = Epoch(order), second = Epoch(order);
  EXPECT_NE(first, second);
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_THAT(first, ::testing::UnorderedElementsAreArray(all));
  EXPECT_THAT(second, ::testing::UnorderedElementsAreArray(all));
}

TEST(BatchOrder, DependsOnTheSeedAlone) {
  BatchOrder a(50, 8, 1, 5), b(50, 8, 1, 5), c(50, 8, 1, 6);
  const std::vector<int64_t> order = Epoch(a);
  EXPECT_EQ(order, Epoch(b));
  EXPECT_NE(order, Epoch(c));
}

TEST(BatchOrder, EndsAnEpochWithASmallerBatch) {
  BatchOrder order(70, 32, 1, 5);
  EXPECT_THAT(EpochSizes(order), ElementsAre(32, 32, 6));
  EXPECT_THAT(EpochSizes(order), ElementsAre(32, 32, 6));
}

TEST(BatchOrder, JoinsALastBatchBelowTheMinimumToTheOneBefore) {
  BatchOrder one_left(65, 32, 2, 5), two_left(66, 32, 2, 5), none_left(64, 32, 2, 5);
  EXPECT_THAT(EpochSizes(one_left), ElementsAre(32, 33));
  EXPECT_THAT(EpochSizes(two_left), ElementsAre(32, 32, 2));
  EXPECT_THAT(EpochSizes(none_left), ElementsAre(32, 32));
}

TEST(BatchOrder, GivesAllSamplesWhenTheyAreFewerThanABatch) {
  BatchOrder order(3, 32, 2, 5), single(1, 32, 1, 5);
  EXPECT_THAT(EpochSizes(order), ElementsAre(3));
  EXPECT_THAT(EpochSizes(single), ElementsAre(1));
}

}  // namespace
}  // namespace thinwire
