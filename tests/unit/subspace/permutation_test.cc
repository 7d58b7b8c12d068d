// Seeded permutations are bijections, invertible, and spread as evenly as chance does.
#include "common/subspace/permutation.h"

#include <map>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(PermutationTest, EverySmallSizeIsABijectionAndItsInverseUndoesIt) {
  for (uint64_t size = 1; size <= 300; ++size) {
    for (uint64_t key = 0; key < 20; ++key) {
      ASSERT_OK_AND_ASSIGN(const SeededPermutation permutation, SeededPermutation::Create(DeriveKey({key}), size));
      std::vector<bool> seen(size);
      for (uint32_t i = 0; i < size; ++i) {
        const uint32_t to = permutation.Forward(i);
        ASSERT_LT(to, size);
        ASSERT_FALSE(seen[to]) << "size " << size << " key " << key << ": " << to << " twice";
        seen[to] = true;
        ASSERT_EQ(permutation.Inverse(to), i);
      }
    }
  }
}

TEST(PermutationTest, AnOddSizeInTheMillionsIsABijection) {
  constexpr uint64_t kSize = 3'000'017;
  ASSERT_OK_AND_ASSIGN(const SeededPermutation permutation, SeededPermutation::Create(7, kSize));
  std::vector<bool> seen(kSize);
  for (uint32_t i = 0; i < kSize; ++i) {
    const uint32_t to = permutation.Forward(i);
    ASSERT_LT(to, kSize);
    ASSERT_FALSE(seen[to]);
    seen[to] = true;
  }
}

TEST(PermutationTest, LargeSizesAreInvertibleAtSamples) {
  RandomStream random(1);
  for (const uint64_t size : {uint64_t{1} << 30, (uint64_t{1} << 31) + 12345, SeededPermutation::kMaxSize}) {
    ASSERT_OK_AND_ASSIGN(const SeededPermutation permutation, SeededPermutation::Create(random.NextU64(), size));
    for (int sample = 0; sample < 100'000; ++sample) {
      const uint32_t index = static_cast<uint32_t>(random.Below(size)), to = permutation.Forward(index);
      ASSERT_LT(to, size);
      ASSERT_EQ(permutation.Inverse(to), index);
      ASSERT_EQ(permutation.Forward(permutation.Inverse(index)), index);
    }
  }
}

// Over many keys, the pair (image of i, image of j) takes each of the n (n - 1) values about equally often. The bound
// is the chi-square's mean plus 8 of its standard deviations.
TEST(PermutationTest, PairsOfImagesAreAboutUniformOverKeys) {
  constexpr int kBits = 3;
  constexpr double kCells = 56, kKeys = 56 * 400;
  for (const auto& [a, b] : std::vector<std::pair<uint32_t, uint32_t>>{{0, 1}, {0, 4}, {2, 3}, {3, 7}, {5, 6}}) {
    std::map<std::pair<uint32_t, uint32_t>, double> counts;
    for (uint64_t key = 0; key < static_cast<uint64_t>(kKeys); ++key) {
      const BitPermutation permutation(DeriveKey({key, 99}), kBits);
      ++counts[{permutation.Forward(a), permutation.Forward(b)}];
    }
    double chi_square = (kCells - static_cast<double>(counts.size())) * kKeys / kCells;
    for (const auto& [pair, count] : counts) {
      chi_square += (count - kKeys / kCells) * (count - kKeys / kCells) / (kKeys / kCells);
    }
    EXPECT_LT(chi_square, kCells + 8 * std::sqrt(2 * kCells)) << a << " and " << b;
  }
}

// Neighbours, and indices that differ in the highest bit, must not stay related: where each bit of the difference is
// about as often set as not.
TEST(PermutationTest, DifferencesOfIndicesDoNotSurvive) {
  constexpr int kBits = 20, kSamples = 4096;
  for (const uint32_t difference : {1u, 2u, 1u << 10, 1u << 19}) {
    std::vector<int> set(kBits);
    for (uint64_t key = 0; key < kSamples; ++key) {
      const BitPermutation permutation(DeriveKey({key, 5}), kBits);
      const uint32_t index = static_cast<uint32_t>(key * 255) & permutation.mask;
      const uint32_t changed = permutation.Forward(index) ^ permutation.Forward(index ^ difference);
      for (int bit = 0; bit < kBits; ++bit) set[bit] += static_cast<int>((changed >> bit) & 1);
    }
    for (int bit = 0; bit < kBits; ++bit) EXPECT_NEAR(set[bit], kSamples / 2, 8 * 32) << difference << " bit " << bit;
  }
}

TEST(PermutationTest, SizesOutOfRangeAreRefusedByName) {
  for (const uint64_t size : {uint64_t{0}, SeededPermutation::kMaxSize + 1, ~uint64_t{0}}) {
    EXPECT_THAT(
        SeededPermutation::Create(1, size),
        StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(std::to_string(size)), HasSubstr("4294967296"))));
  }
}

}  // namespace
}  // namespace thinwire
