// Fastfood against its definition, its adjoint, and bad input.
#include "common/subspace/fastfood.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/subspace/dense_fastfood.h"
#include "tests/unit/subspace/each_target.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr FastfoodDiagonal kBoth[] = {FastfoodDiagonal::kSigns, FastfoodDiagonal::kNormal};

Fastfood Make(uint64_t seed, uint64_t dense, uint64_t subspace, uint64_t block = 0,
              FastfoodDiagonal diagonal = FastfoodDiagonal::kSigns) {
  auto fastfood = Fastfood::Create({seed, dense, subspace, block, diagonal});
  EXPECT_THAT(fastfood, IsOk());
  return *fastfood;
}

std::string Name(const Fastfood& f) {
  return absl::StrCat("D ", f.spec().dense_size, " d ", f.spec().subspace_size, " b ", f.block_size(), " diagonal ",
                      static_cast<int>(f.spec().diagonal));
}

struct Sizes {
  uint64_t dense, subspace, block;
};

// The first transform is done at size p and repeated; the definition does it at size b. That they agree is the
// zero-padding identity.
TEST(FastfoodTest, IsTheMatrixOfItsDefinition) {
  for (const FastfoodDiagonal diagonal : kBoth) {
    for (const Sizes& s : std::vector<Sizes>{{1, 1, 0},
                                             {5, 3, 0},
                                             {64, 64, 0},
                                             {100, 7, 0},
                                             {300, 70, 0},
                                             {512, 500, 0},
                                             {300, 7, 64},
                                             {700, 129, 256}}) {
      const Fastfood fastfood = Make(s.dense + 9, s.dense, s.subspace, s.block, diagonal);
      const Matrix a = DenseFastfood(fastfood);
      for (size_t j = 0; j < s.subspace; ++j) {
        std::vector<float> unit(s.subspace);
        unit[j] = 1;
        const std::vector<float> column = Apply(fastfood, unit);
        for (size_t i = 0; i < s.dense; ++i)
          ASSERT_NEAR(column[i], a[i][j], 2e-6) << Name(fastfood) << ' ' << i << ' ' << j;
      }
      for (size_t i = 0; i < s.dense; i += 1 + s.dense / 50) {
        std::vector<float> unit(s.dense);
        unit[i] = 1;
        const std::vector<float> row = ApplyTranspose(fastfood, unit);
        for (size_t j = 0; j < s.subspace; ++j)
          ASSERT_NEAR(row[j], a[i][j], 2e-6) << Name(fastfood) << ' ' << i << ' ' << j;
      }
    }
  }
}

// Rounding alone may part the two sides: 3e-7 of the norms, where a wrong sign, place or scale of any entry that counts
// shows as 1 / sqrt(D) or more.
void ExpectAdjoint(const Fastfood& fastfood) {
  const std::vector<float> x = RandomValues(1, fastfood.spec().subspace_size);
  const std::vector<float> g = RandomValues(2, fastfood.spec().dense_size);
  const std::vector<float> y = Apply(fastfood, x), s = ApplyTranspose(fastfood, g);
  const double scale = std::sqrt(Dot(y, y) * Dot(g, g)) + std::sqrt(Dot(x, x) * Dot(s, s));
  EXPECT_NEAR(Dot(y, g), Dot(x, s), 3e-7 * scale) << Name(fastfood);
}

TEST(FastfoodTest, ItsTransposeIsTheAdjointAtOddSizes) {
  for (const FastfoodDiagonal diagonal : kBoth) {
    for (const uint64_t dense : {1, 2, 3, 63, 64, 65, 127, 1000, 4095, 4097, 65535, 65536, 65537, 100'003}) {
      for (const uint64_t subspace : {1, 2, 3, 17, 64, 65, 333, 4096, 65'537}) {
        if (subspace > dense) continue;
        ExpectAdjoint(Make(dense, dense, subspace, 0, diagonal));
      }
    }
    for (const uint64_t block : {64, 128, 4096, 65536}) ExpectAdjoint(Make(3, 100'003, 61, block, diagonal));
    ExpectAdjoint(Make(4, 300'001, 70'000, 131'072, diagonal));
  }
}

// Sizes where the levels between blocks take one, two and three passes, and dead rows are skipped.
TEST(FastfoodTest, ItsTransposeIsTheAdjointAtLargeSizes) {
  for (const uint64_t dense : {131'073, 1'200'007, 6'568'640}) ExpectAdjoint(Make(5, dense, 2000));
  ExpectAdjoint(Make(6, 2'100'001, 2'000'003));
}

TEST(FastfoodTest, WithSignsColumnsAreOrthogonalWhenBlocksAreWhole) {
  for (const Sizes& s : std::vector<Sizes>{{256, 20, 0}, {1024, 100, 128}, {64, 64, 64}}) {
    const Matrix a = DenseFastfood(Make(8, s.dense, s.subspace, s.block));
    for (size_t j = 0; j < s.subspace; ++j) {
      for (size_t k = 0; k <= j; ++k) {
        double dot = 0;
        for (const std::vector<double>& row : a) dot += row[j] * row[k];
        const double expected = j == k ? static_cast<double>(s.dense) / static_cast<double>(s.subspace) : 0;
        ASSERT_NEAR(dot, expected, 1e-9);
      }
    }
  }
}

TEST(FastfoodTest, IsLinearAndKeepsZero) {
  const Fastfood fastfood = Make(1, 5000, 40);
  for (const float value : Apply(fastfood, std::vector<float>(40))) ASSERT_EQ(value, 0.0f);
  for (const float value : ApplyTranspose(fastfood, std::vector<float>(5000))) ASSERT_EQ(value, 0.0f);
  std::vector<float> x = RandomValues(1, 40), twice = x;
  for (float& value : twice) value *= 2;
  const std::vector<float> y = Apply(fastfood, x), y_twice = Apply(fastfood, twice);
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(2 * y[i], y_twice[i]);
}

TEST(FastfoodTest, OtherSeedsAndOtherBlocksAreOtherMatrices) {
  const std::vector<float> x = RandomValues(1, 64);
  const std::vector<float> y = Apply(Make(1, 256, 64, 64), x), other = Apply(Make(2, 256, 64, 64), x);
  int same = 0;
  for (size_t i = 0; i < 192; ++i) same += static_cast<int>(y[i] == other[i]) + static_cast<int>(y[i] == y[i + 64]);
  EXPECT_LT(same, 30);
}

// The sums do not depend on how often a workspace was used, nor on what for.
TEST(FastfoodTest, AWorkspaceMayBeUsedAgain) {
  const Fastfood fastfood = Make(3, 200'000, 900);
  auto workspace = FastfoodWorkspace::Create(fastfood);
  ASSERT_THAT(workspace, IsOk());
  const std::vector<float> x = RandomValues(1, 900), g = RandomValues(2, 200'000);
  std::vector<float> s(900);
  const auto read = [&](uint64_t first, absl::Span<float> out) {
    std::copy_n(g.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
    return absl::OkStatus();
  };
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(fastfood.ApplyTranspose(read, &*workspace, absl::MakeSpan(s)), IsOk());
    ASSERT_TRUE(SameBits(s, ApplyTranspose(fastfood, g)));
    ASSERT_THAT(fastfood.Apply(x, &*workspace, [](uint64_t, absl::Span<const float>) { return absl::OkStatus(); }),
                IsOk());
  }
}

TEST(FastfoodTest, ValuesComeAndGoOnceInAscendingOrder) {
  for (const uint64_t block : {uint64_t{0}, uint64_t{4096}}) {
    const Fastfood fastfood = Make(3, 200'001, 900, block);
    auto workspace = FastfoodWorkspace::Create(fastfood);
    ASSERT_THAT(workspace, IsOk());
    uint64_t next = 0;
    ASSERT_THAT(fastfood.Apply(RandomValues(1, 900), &*workspace,
                               [&](uint64_t first, absl::Span<const float> values) {
                                 EXPECT_EQ(first, next);
                                 next += values.size();
                                 return absl::OkStatus();
                               }),
                IsOk());
    EXPECT_EQ(next, 200'001u);
    next = 0;
    std::vector<float> s(900);
    ASSERT_THAT(fastfood.ApplyTranspose(
                    [&](uint64_t first, absl::Span<float> out) {
                      EXPECT_EQ(first, next);
                      next += out.size();
                      std::fill(out.begin(), out.end(), 1.0f);
                      return absl::OkStatus();
                    },
                    &*workspace, absl::MakeSpan(s)),
                IsOk());
    EXPECT_EQ(next, 200'001u);
  }
}

TEST(FastfoodTest, ErrorsOfSinkAndSourceAreReturned) {
  const Fastfood fastfood = Make(1, 1000, 10, 64);
  auto workspace = FastfoodWorkspace::Create(fastfood);
  ASSERT_THAT(workspace, IsOk());
  int calls = 0;
  EXPECT_THAT(fastfood.Apply(std::vector<float>(10), &*workspace,
                             [&](uint64_t, absl::Span<const float>) {
                               return ++calls == 3 ? absl::DataLossError("disk full") : absl::OkStatus();
                             }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("disk full")));
  EXPECT_EQ(calls, 3);
  std::vector<float> s(10);
  EXPECT_THAT(fastfood.ApplyTranspose([](uint64_t, absl::Span<float>) { return absl::UnavailableError("no gradient"); },
                                      &*workspace, absl::MakeSpan(s)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no gradient")));
}

void ExpectRefused(const FastfoodSpec& spec, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_THAT(Fastfood::Create(spec), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(word)));
  }
}

TEST(FastfoodTest, SizesThatDoNotFitAreRefusedByValueAndLimit) {
  ExpectRefused({1, 0, 1, 0}, {"0 values", "1 to 1099511627776"});
  ExpectRefused({1, (uint64_t{1} << 40) + 1, 1, 1024}, {"1099511627777", "1099511627776"});
  ExpectRefused({1, ~uint64_t{0}, 1, 0}, {"18446744073709551615"});
  ExpectRefused({1, 100, 0, 0}, {"0 dimensions", "1 to 100"});
  ExpectRefused({1, 100, 101, 0}, {"101 dimensions", "100"});
  ExpectRefused({1, 100, ~uint64_t{0}, 0}, {"18446744073709551615 dimensions"});
  ExpectRefused({1, (uint64_t{1} << 30) + 1, 1, 0}, {"1073741825", "at most 1073741824", "name a block size"});
  ExpectRefused({1, 100'000, 1000, 1000}, {"blocks of 1000", "1024 to 131072"});
  ExpectRefused({1, 100'000, 1000, 512}, {"blocks of 512", "1024 to 131072", "or 0"});
  ExpectRefused({1, 100'000, 1000, 262'144}, {"blocks of 262144", "1024 to 131072"});
  ExpectRefused({1, uint64_t{1} << 35, 1000, uint64_t{1} << 31}, {"2147483648", "1024 to 1073741824"});
  ExpectRefused({1, 100, 10, 32}, {"blocks of 32", "64 to 128"});
  ExpectRefused({1, 100, 10, 0, static_cast<FastfoodDiagonal>(3)}, {"diagonal 3", "1 is signs"});
}

TEST(FastfoodTest, CoefficientsThatAreMissingOrNotFiniteAreRefused) {
  const Fastfood fastfood = Make(1, 1000, 10);
  auto workspace = FastfoodWorkspace::Create(fastfood);
  ASSERT_THAT(workspace, IsOk());
  const auto sink = [](uint64_t, absl::Span<const float>) { return absl::InternalError("nothing may come out"); };
  EXPECT_THAT(fastfood.Apply(std::vector<float>(9), &*workspace, sink),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("9 coefficients"), HasSubstr("10"))));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(10);
    x[7] = bad;
    EXPECT_THAT(fastfood.Apply(x, &*workspace, sink),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("coefficient 7 is")));
  }
}

TEST(FastfoodTest, AGradientThatIsNotFiniteIsRefusedWhereverItIs) {
  const Fastfood fastfood = Make(1, 100'000, 10);
  auto workspace = FastfoodWorkspace::Create(fastfood);
  ASSERT_THAT(workspace, IsOk());
  std::vector<float> s(10);
  for (const size_t at : {size_t{0}, size_t{65'536}, size_t{99'999}}) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::max()}) {
      EXPECT_THAT(fastfood.ApplyTranspose(
                      [&](uint64_t first, absl::Span<float> out) {
                        std::fill(out.begin(), out.end(), bad == std::numeric_limits<float>::max() ? bad : 0.0f);
                        if (at >= first && at - first < out.size()) out[at - first] = bad;
                        return absl::OkStatus();
                      },
                      &*workspace, absl::MakeSpan(s)),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("gradient is not finite")));
    }
  }
}

TEST(FastfoodTest, AnothersWorkspaceIsRefused) {
  const Fastfood fastfood = Make(1, 1000, 10), other = Make(1, 5000, 10), wide = Make(1, 1000, 100);
  std::vector<float> s(10);
  for (const Fastfood& owner : {other, wide}) {
    auto workspace = FastfoodWorkspace::Create(owner);
    ASSERT_THAT(workspace, IsOk());
    EXPECT_THAT(fastfood.ApplyTranspose([](uint64_t, absl::Span<float>) { return absl::OkStatus(); }, &*workspace,
                                        absl::MakeSpan(s)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("create one for this matrix")));
  }
}

TEST(FastfoodTest, SaysWhatItTakesAndWhichRateSuits) {
  const Fastfood whole = Make(1, 100'000'000, 4000), blocks = Make(1, 100'000'000, 4000, 65'536);
  EXPECT_EQ(whole.block_size(), 134'217'728u);
  EXPECT_EQ(whole.table_size(), 4096u);
  EXPECT_EQ(whole.WorkspaceBytes(), 4 * 134'217'728u + 12 * 4096u);
  EXPECT_EQ(blocks.WorkspaceBytes(), 4 * 65'536u + 12 * 4096u);
  EXPECT_DOUBLE_EQ(whole.SubspaceRate(0.5), 0.5 * 4000 / 1e8);
}

class FastfoodTargetTest : public EachTarget {};

// Against the scalar twins' bits, which the golden files hold, this is the whole chain at sizes too large for them.
TEST_P(FastfoodTargetTest, HasTheSameBitsOnEveryInstructionSet) {
  for (const FastfoodDiagonal diagonal : kBoth) {
    for (const Sizes& s :
         std::vector<Sizes>{{77, 5, 0}, {70'001, 900, 0}, {1'500'000, 70'000, 0}, {90'000, 33, 4096}}) {
      const Fastfood fastfood = Make(s.dense, s.dense, s.subspace, s.block, diagonal);
      const std::vector<float> x = RandomValues(1, s.subspace), g = RandomValues(2, s.dense);
      const std::vector<float> y = Apply(fastfood, x), t = ApplyTranspose(fastfood, g);
      UseTarget(Targets().back());
      ASSERT_TRUE(SameBits(Apply(fastfood, x), y)) << Name(fastfood);
      ASSERT_TRUE(SameBits(ApplyTranspose(fastfood, g), t)) << Name(fastfood);
      UseTarget(GetParam());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FastfoodTargetTest, testing::ValuesIn(Targets()), TargetNameOf);

}  // namespace
}  // namespace thinwire
