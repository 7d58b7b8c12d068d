#include "common/base/random_bits.h"

#include <vector>

#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

uint32_t WordAt(uint64_t key, uint64_t first_block, size_t i) {
  const uint64_t block = first_block + i / 4;
  return Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key)[i % 4];
}

TEST(RandomBits, WordsAreThoseOfPhiloxAtEveryLength) {
  for (size_t count = 0; count <= 200; ++count) {
    std::vector<uint32_t> words(count + 1, 7);
    FillRandomWords(99, count, absl::MakeSpan(words.data(), count));
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(words[i], WordAt(99, count, i)) << count << " " << i;
    ASSERT_EQ(words[count], 7u);
  }
}

TEST(RandomBits, WordsGoOnWhereTheLowerHalfOfTheCounterEnds) {
  std::vector<uint32_t> words(400);
  const uint64_t first = 0xffffffffu - 30;
  FillRandomWords(5, first, absl::MakeSpan(words));
  for (size_t i = 0; i < words.size(); ++i) ASSERT_EQ(words[i], WordAt(5, first, i)) << i;
}

TEST(RandomBits, AStreamOfTheSameKeyGivesTheSameNumbers) {
  RandomStream stream(1234);
  std::vector<uint32_t> words(77);
  FillRandomWords(1234, 0, absl::MakeSpan(words));
  for (const uint32_t word : words) EXPECT_EQ(stream.NextU32(), word);
}

TEST(RandomBits, HalvesAreTheWordsLowHalfFirst) {
  std::vector<uint16_t> halves(2503);
  FillRandomHalves(3, 11, absl::MakeSpan(halves));
  for (size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(halves[i], static_cast<uint16_t>(WordAt(3, 11, i / 2) >> (i % 2 * 16))) << i;
  }
}

}  // namespace
}  // namespace thinwire
