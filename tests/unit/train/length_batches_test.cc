#include "client/train/length_batches.h"

#include <algorithm>
#include <numeric>

#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

std::vector<size_t> RandomLengths(size_t count) {
  RandomStream random(1);
  std::vector<size_t> lengths(count);
  for (size_t& length : lengths) length = 50 + random.Below(500);
  return lengths;
}

std::vector<std::vector<uint32_t>> Epoch(LengthBatches& batches) {
  std::vector<std::vector<uint32_t>> all;
  for (uint64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    const auto batch = batches.Next();
    all.emplace_back(batch.begin(), batch.end());
  }
  return all;
}

TEST(LengthBatches, AnEpochVisitsEachSampleOnce) {
  for (const size_t count : {1u, 7u, 8u, 63u, 64u, 65u, 200u}) {
    LengthBatches batches(RandomLengths(count), 8, 1);
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<uint32_t> seen;
      size_t partial = 0;
      for (const auto& batch : Epoch(batches)) {
        EXPECT_GE(batch.size(), 1u);
        EXPECT_LE(batch.size(), 8u);
        partial += batch.size() < 8 ? 1 : 0;
        seen.insert(seen.end(), batch.begin(), batch.end());
      }
      EXPECT_LE(partial, 1u);
      std::sort(seen.begin(), seen.end());
      std::vector<uint32_t> all(count);
      std::iota(all.begin(), all.end(), 0u);
      EXPECT_EQ(seen, all);
    }
  }
}

TEST(LengthBatches, LittleOfABatchIsPadding) {
  const std::vector<size_t> lengths = RandomLengths(640);
  LengthBatches batches(lengths, 16, 1);
  size_t padded = 0;
  for (const auto& batch : Epoch(batches)) {
    size_t longest = 0;
    for (const uint32_t index : batch) longest = std::max(longest, lengths[index]);
    padded += longest * batch.size();
  }
  const size_t real = std::accumulate(lengths.begin(), lengths.end(), size_t{0});
  // Batches drawn without a look at lengths would hold 1.7 times the frames.
  EXPECT_LT(static_cast<double>(padded), 1.15 * static_cast<double>(real));
}

TEST(LengthBatches, TheOrderFollowsFromTheSeedAndChangesByEpoch) {
  LengthBatches a(RandomLengths(100), 8, 1), b(RandomLengths(100), 8, 1), c(RandomLengths(100), 8, 2);
  const auto first = Epoch(a);
  EXPECT_EQ(first, Epoch(b));
  EXPECT_NE(first, Epoch(c));
  EXPECT_NE(first, Epoch(a));
}

}  // namespace
}  // namespace thinwire
