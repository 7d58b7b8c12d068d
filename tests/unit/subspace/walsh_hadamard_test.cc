// The transform against its definition, its scalar twin and itself.
#include "common/subspace/walsh_hadamard.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/subspace/kernels/walsh_hadamard_kernels.h"
#include "common/subspace/kernels/walsh_hadamard_scalar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/subspace/each_target.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

int Parity(size_t bits) { return __builtin_parityll(bits); }

TEST(WalshHadamardTest, IsTheMatrixOfItsDefinition) {
  for (int levels = 0; levels <= 10; ++levels) {
    const size_t size = size_t{1} << levels;
    const std::vector<float> in = RandomValues(1, size);
    std::vector<float> out = in;
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(out)), IsOk());
    for (size_t i = 0; i < size; ++i) {
      double expected = 0;
      for (size_t j = 0; j < size; ++j) expected += Parity(i & j) != 0 ? -double{in[j]} : double{in[j]};
      ASSERT_NEAR(out[i], expected, 1e-6 * std::sqrt(static_cast<double>(size))) << "size " << size << " value " << i;
    }
  }
}

// Integers of this size are added exactly, so that nothing may be off at all.
TEST(WalshHadamardTest, IsExactOnSmallIntegersAndItsOwnInverseTimesTheSize) {
  for (const int levels : {0, 1, 3, 6, 9, 13, 15, 16, 17, 20, 21}) {
    const size_t size = size_t{1} << levels;
    std::vector<float> values(size), expected(size);
    for (size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i % 4 == 0) - static_cast<float>(i % 7 == 3);
    for (size_t i = 0; i < size; ++i) expected[i] = values[i] * static_cast<float>(size);
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(values)), IsOk());
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(values)), IsOk());
    ASSERT_TRUE(SameBits(values, expected)) << size;
  }
}

TEST(WalshHadamardTest, KeepsTheNormTimesTheRootOfTheSize) {
  for (const int levels : {12, 18, 22}) {
    std::vector<float> values = RandomValues(2, size_t{1} << levels);
    const double before = Dot(values, values);
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(values)), IsOk());
    EXPECT_NEAR(Dot(values, values) / before / static_cast<double>(values.size()), 1.0, 1e-6);
  }
}

TEST(WalshHadamardTest, SizesThatAreNoPowerOfTwoAreRefusedByName) {
  for (const size_t size : {size_t{0}, size_t{3}, size_t{65537}, size_t{12345678}}) {
    std::vector<float> values(size);
    EXPECT_THAT(WalshHadamard(absl::MakeSpan(values)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(std::to_string(size)), HasSubstr("1073741824"), HasSubstr("pad"))));
  }
  float one = 0;
  const absl::Span<float> too_long(&one, size_t{1} << 31);  // refused before it is read
  EXPECT_THAT(WalshHadamard(too_long), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2147483648")));
}

TEST(WalshHadamardTest, PartsBeyondTheSizeAreRefused) {
  std::vector<float> values(64);
  EXPECT_THAT(WalshHadamardOfPart(absl::MakeSpan(values), 65, 64),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("65")));
  EXPECT_THAT(WalshHadamardOfPart(absl::MakeSpan(values), 64, 66),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("66")));
}

class WalshHadamardTargetTest : public EachTarget {};

// At any alignment, and nothing written around it.
TEST_P(WalshHadamardTargetTest, HasTheBitsOfTheScalarTwinAtEverySize) {
  for (int levels = 0; levels <= 19; ++levels) {
    const size_t size = size_t{1} << levels, shift = static_cast<size_t>(levels) % 5, guard = 16;
    const std::vector<float> in = RandomValues(3, size);
    std::vector<float> expected = in, actual(size + shift + 2 * guard, 77.0f);
    scalar::WalshHadamardLevels(expected.data(), 0, levels);
    float* values = actual.data() + guard + shift;
    std::copy(in.begin(), in.end(), values);
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(values, size)), IsOk());
    ASSERT_TRUE(SameBits(absl::MakeConstSpan(values, size), expected)) << size;
    for (size_t i = 0; i < guard; ++i)
      ASSERT_TRUE(values[-1 - static_cast<ptrdiff_t>(i)] == 77 && values[size + i] == 77);
  }
}

TEST_P(WalshHadamardTargetTest, HasTheBitsOfTheScalarTwinOnZerosSubnormalsAndHugeNumbers) {
  for (const float scale : {0.0f, -0.0f, 1e-44f, 1e-38f, 1e30f}) {
    std::vector<float> expected = RandomValues(4, 4096);
    for (float& value : expected) value *= scale;
    std::vector<float> actual = expected;
    scalar::WalshHadamardLevels(expected.data(), 0, 12);
    ASSERT_THAT(WalshHadamard(absl::MakeSpan(actual)), IsOk());
    ASSERT_TRUE(SameBits(actual, expected)) << scale;
  }
}

// What is not live is garbage on the way in and may be garbage on the way out; what is wanted has the same bits.
TEST_P(WalshHadamardTargetTest, OfAPartHasTheBitsOfTheWholePaddedWithZeros) {
  for (const int levels : {4, 9, 16, 17, 19, 20, 21}) {
    const size_t size = size_t{1} << levels;
    std::vector<float> in = RandomValues(5, size);
    for (const size_t live : {size_t{0}, size_t{1}, size / 3, size / 2 + 1, size - 1, size}) {
      std::vector<float> padded = in, part = in;
      std::fill(padded.begin() + static_cast<ptrdiff_t>(live), padded.end(), 0.0f);
      std::fill(part.begin() + static_cast<ptrdiff_t>(live), part.end(), std::numeric_limits<float>::quiet_NaN());
      ASSERT_THAT(WalshHadamard(absl::MakeSpan(padded)), IsOk());
      ASSERT_THAT(WalshHadamardOfPart(absl::MakeSpan(part), live, size), IsOk());
      ASSERT_TRUE(SameBits(part, padded)) << size << " live " << live;
      std::vector<float> first = in;
      ASSERT_THAT(WalshHadamard(absl::MakeSpan(padded = in)), IsOk());
      ASSERT_THAT(WalshHadamardOfPart(absl::MakeSpan(first), size, live), IsOk());
      ASSERT_TRUE(SameBits(absl::MakeSpan(first).subspan(0, live), absl::MakeSpan(padded).subspan(0, live)));
    }
  }
}

// Beyond the size from which results are written past the caches. Blocks are covered above, so that they may stand in
// for the scalar twin's lower levels.
TEST_P(WalshHadamardTargetTest, HasTheBitsOfTheScalarTwinWhereResultsAreStreamed) {
  constexpr int kLevels = 25;
  std::vector<float> expected = RandomValues(6, size_t{1} << kLevels), actual = expected;
  for (size_t at = 0; at < expected.size(); at += kWalshBlockValues) {
    TransformWalshBlock(expected.data() + at, kWalshBlockLevels, nullptr);
  }
  scalar::WalshHadamardLevels(expected.data(), kWalshBlockLevels, kLevels);
  ASSERT_THAT(WalshHadamard(absl::MakeSpan(actual)), IsOk());
  EXPECT_TRUE(SameBits(actual, expected));
}

INSTANTIATE_TEST_SUITE_P(Targets, WalshHadamardTargetTest, testing::ValuesIn(Targets()), TargetNameOf);

}  // namespace
}  // namespace thinwire
