// Every instruction set gives the bits of the scalar kernels of Fastfood; the normal numbers are normal.
#include "common/subspace/kernels/fastfood_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <vector>

#include "common/base/random_bits.h"
#include "common/subspace/kernels/fastfood_scalar.h"
#include "gtest/gtest.h"
#include "tests/unit/subspace/each_target.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

class FastfoodKernelsTest : public EachTarget {};

// Random rows of a permutation of 2^bits rows of which a table holds 2^table_bits.
struct Case {
  Case(int bits, int table_bits, size_t first, size_t count, bool normal)
      : permutation(DeriveKey({static_cast<uint64_t>(bits), count}), bits),
        words(count),
        normals(RandomValues(1, count * kRowValues)),
        table(RandomValues(2, (size_t{1} << table_bits) * kRowValues)),
        values(RandomValues(3, count * kRowValues)) {
    FillRandomWords(count, 0, absl::MakeSpan(words));
    rows = {&permutation, (1u << table_bits) - 1, static_cast<uint32_t>(first),
            count,        words.data(),           normal ? normals.data() : nullptr};
  }

  BitPermutation permutation;
  std::vector<uint32_t> words;
  std::vector<float> normals, table, values;
  RowRange rows;
};

std::deque<Case> Cases() {
  std::deque<Case> cases;  // which, unlike a vector, leaves them where they are
  for (const bool normal : {false, true}) {
    for (const size_t count : {1, 3, 4, 17, 63, 64, 65, 200}) {
      cases.emplace_back(8, 2, 5, count, normal);
      cases.emplace_back(26, 9, (1u << 26) - count, count, normal);
    }
  }
  return cases;
}

TEST_P(FastfoodKernelsTest, GathersTheBitsOfTheScalarTwin) {
  for (const Case& c : Cases()) {
    std::vector<float> expected(c.values.size()), actual(c.values.size() + 1, 77.0f);
    scalar::GatherRows(c.rows, c.table.data(), expected.data());
    GatherRows(c.rows, c.table.data(), actual.data());
    ASSERT_EQ(actual.back(), 77.0f);
    actual.pop_back();
    ASSERT_TRUE(SameBits(actual, expected)) << c.rows.count;
  }
}

TEST_P(FastfoodKernelsTest, ScattersTheBitsOfTheScalarTwin) {
  for (const Case& c : Cases()) {
    std::vector<double> expected(c.table.size(), 0.25), actual = expected;
    scalar::ScatterRows(c.rows, c.values.data(), expected.data());
    ScatterRows(c.rows, c.values.data(), actual.data());
    ASSERT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(double)), 0) << c.rows.count;
  }
}

TEST_P(FastfoodKernelsTest, FlipsTheSignsThatTheScalarTwinFlips) {
  for (const size_t count : {0, 32, 64, 320}) {
    std::vector<uint32_t> words(count / 32);
    FillRandomWords(count, 0, absl::MakeSpan(words));
    std::vector<float> expected = RandomValues(4, count), actual = expected;
    scalar::FlipSigns(words.data(), count, expected.data());
    FlipSigns(words.data(), count, actual.data());
    ASSERT_TRUE(SameBits(actual, expected)) << count;
  }
}

std::vector<uint32_t> EveryHalfInBothPlaces() {
  std::vector<uint32_t> words(65536);
  for (uint32_t i = 0; i < 65536; ++i) words[i] = i | (((i * 40503u + 7u) & 0xffff) << 16);
  return words;
}

TEST_P(FastfoodKernelsTest, NormalsHaveTheBitsOfTheScalarTwinForEveryHalf) {
  const std::vector<uint32_t> words = EveryHalfInBothPlaces();
  std::vector<float> expected(2 * words.size()), actual(expected.size());
  scalar::NormalsFromWords(words.data(), words.size(), expected.data());
  NormalsFromWords(words.data(), words.size(), actual.data());
  EXPECT_TRUE(SameBits(actual, expected));
}

INSTANTIATE_TEST_SUITE_P(Targets, FastfoodKernelsTest, testing::ValuesIn(Targets()), TargetNameOf);

TEST(NormalsTest, AreThoseOfBoxAndMuller) {
  const std::vector<uint32_t> words = EveryHalfInBothPlaces();
  std::vector<float> normals(2 * words.size());
  scalar::NormalsFromWords(words.data(), words.size(), normals.data());
  for (size_t i = 0; i < words.size(); ++i) {
    const double radius = std::sqrt(-2 * std::log(((words[i] & 0xffff) + 0.5) / 65536));
    const double angle = 2 * M_PI * ((words[i] >> 16) + 0.5) / 65536 - M_PI / 4;
    const float* group = normals.data() + i / 16 * 32 + i % 16;
    ASSERT_NEAR(group[0], radius * std::cos(angle), 2e-6) << i;
    ASSERT_NEAR(group[16], radius * std::sin(angle), 2e-6) << i;
  }
}

// Mean, variance, fourth moment and the distribution itself, within 6 standard errors of a million numbers.
TEST(NormalsTest, HaveTheMomentsAndTheDistributionOfNormalNumbers) {
  constexpr size_t kCount = 1 << 20;
  std::vector<uint32_t> words(kCount / 2);
  FillRandomWords(11, 0, absl::MakeSpan(words));
  std::vector<float> normals(kCount);
  NormalsFromWords(words.data(), words.size(), normals.data());
  double sum = 0, square = 0, fourth = 0;
  for (const float x : normals) {
    sum += x;
    square += double{x} * x;
    fourth += double{x} * x * x * x;
  }
  const double n = kCount, error = 6 / std::sqrt(n);
  EXPECT_NEAR(sum / n, 0, error);
  EXPECT_NEAR(square / n, 1, error * std::sqrt(2.0));
  EXPECT_NEAR(fourth / n, 3, error * std::sqrt(96.0));
  std::sort(normals.begin(), normals.end());
  double largest = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const double expected = 0.5 * std::erfc(-normals[i] / std::sqrt(2.0));
    largest = std::max(largest, std::abs(expected - (static_cast<double>(i) + 0.5) / n));
  }
  EXPECT_LT(largest, 2.2 / std::sqrt(n));  // Kolmogorov and Smirnov: once in 8,000 seeds
}

}  // namespace
}  // namespace thinwire
