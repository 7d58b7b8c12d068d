// What the theory asks of the matrix, over many seeds: E[A A^T] = I, and norms kept about as well as by a matrix with
// any permutation whatever. Bounds are in standard errors, so that a right program fails for about one set of seeds in
// a million; the seeds are fixed.
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/subspace/fastfood.h"
#include "gtest/gtest.h"
#include "tests/unit/subspace/dense_fastfood.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

constexpr FastfoodDiagonal kBoth[] = {FastfoodDiagonal::kSigns, FastfoodDiagonal::kNormal};

// The D x d matrix, column by column.
Matrix Columns(const Fastfood& fastfood) {
  const size_t d = fastfood.spec().subspace_size;
  Matrix columns;
  for (size_t j = 0; j < d; ++j) {
    std::vector<float> unit(d);
    unit[j] = 1;
    const std::vector<float> column = Apply(fastfood, unit);
    columns.emplace_back(column.begin(), column.end());
  }
  return columns;
}

void ExpectIdentityOnAverage(uint64_t dense, uint64_t subspace, uint64_t block, FastfoodDiagonal diagonal) {
  constexpr int kSeeds = 600;
  Matrix mean(dense, std::vector<double>(dense)), square = mean;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Matrix columns = Columns(*Fastfood::Create({seed, dense, subspace, block, diagonal}));
    for (size_t i = 0; i < dense; ++i) {
      for (size_t k = 0; k <= i; ++k) {
        double entry = 0;
        for (const std::vector<double>& column : columns) entry += column[i] * column[k];
        mean[i][k] += entry / kSeeds;
        square[i][k] += entry * entry / kSeeds;
      }
    }
  }
  for (size_t i = 0; i < dense; ++i) {
    for (size_t k = 0; k <= i; ++k) {
      const double error = std::sqrt(std::max(square[i][k] - mean[i][k] * mean[i][k], 0.0) / kSeeds) + 1e-6;
      ASSERT_NEAR(mean[i][k], i == k ? 1 : 0, 6.5 * error) << i << ' ' << k << " of " << dense << " by " << subspace;
      // Normal entries would give 2 / d on the diagonal and 1 / d beside it.
      ASSERT_LT(error * error * kSeeds, (i == k ? 2.0 : 1.0) / static_cast<double>(subspace) * 2);
    }
  }
}

TEST(FastfoodStatisticsTest, ATimesItsTransposeIsTheIdentityOnAverage) {
  for (const FastfoodDiagonal diagonal : kBoth) {
    ExpectIdentityOnAverage(50, 8, 0, diagonal);
    ExpectIdentityOnAverage(130, 20, 0, diagonal);
    ExpectIdentityOnAverage(130, 20, 64, diagonal);
  }
}

// Gradients with structure that a Walsh-Hadamard transform could resonate with.
std::vector<std::vector<double>> StructuredGradients(size_t size) {
  std::vector<std::vector<double>> gradients(6, std::vector<double>(size));
  for (size_t i = 0; i < size; ++i) {
    gradients[0][i] = 1;
    gradients[1][i] = i == size / 3 ? 1 : 0;
    gradients[2][i] = i % 2 == 0 ? 1 : -1;
    gradients[3][i] = i < 16 ? 1 : 0;
    gradients[4][i] = Hadamard(i, 83);
    gradients[5][i] = i % 16 == 5 ? 1 : 0;
  }
  return gradients;
}

// Mean and variance over seeds of |A^T g|^2 / |g|^2, for each gradient.
struct Moments {
  std::vector<double> mean, variance;
};
Moments NormsKept(uint64_t dense, uint64_t subspace, uint64_t block, FastfoodDiagonal diagonal, bool uniform) {
  constexpr int kSeeds = 300;
  const std::vector<std::vector<double>> gradients = StructuredGradients(dense);
  Moments moments{std::vector<double>(gradients.size()), std::vector<double>(gradients.size())};
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Matrix a = DenseFastfood(*Fastfood::Create({seed, dense, subspace, block, diagonal}), uniform);
    for (size_t k = 0; k < gradients.size(); ++k) {
      double norm = 0, kept = 0;
      for (const double value : gradients[k]) norm += value * value;
      for (size_t j = 0; j < subspace; ++j) {
        double dot = 0;
        for (size_t i = 0; i < dense; ++i) dot += a[i][j] * gradients[k][i];
        kept += dot * dot / norm;
      }
      moments.mean[k] += kept / kSeeds;
      moments.variance[k] += kept * kept / kSeeds;
    }
  }
  for (size_t k = 0; k < gradients.size(); ++k) moments.variance[k] -= moments.mean[k] * moments.mean[k];
  return moments;
}

// The permutation by rows of 16 and xor of lanes is not one of all permutations with equal chances. Norms must not feel
// it: the same mean, and no more variance than 1.6 times that with uniform permutations or normal matrices (2 / d). The
// variance of a variance over 300 seeds makes that 5 standard errors. Without signs on values (B'), the constant
// gradient alone would be at 24 times that with a normal diagonal.
TEST(FastfoodStatisticsTest, NormsAreKeptAsWellAsWithUniformPermutations) {
  constexpr uint64_t kDense = 128, kSubspace = 24;
  for (const FastfoodDiagonal diagonal : kBoth) {
    for (const uint64_t block : {0, 64}) {
      const Moments ours = NormsKept(kDense, kSubspace, block, diagonal, false);
      const Moments uniform = NormsKept(kDense, kSubspace, block, diagonal, true);
      for (size_t k = 0; k < ours.mean.size(); ++k) {
        SCOPED_TRACE(absl::StrCat("diagonal ", static_cast<int>(diagonal), " block ", block, " gradient ", k));
        EXPECT_NEAR(ours.mean[k], 1, 6 * std::sqrt(ours.variance[k] / 300) + 1e-9);
        EXPECT_LT(ours.variance[k], 1.6 * std::max(uniform.variance[k], 2.0 / kSubspace));
        EXPECT_LT(ours.variance[k], 2 * 2.0 / kSubspace);
        RecordProperty(absl::StrCat("variance_", static_cast<int>(diagonal), "_", block, "_", k),
                       absl::StrCat(ours.variance[k], " uniform ", uniform.variance[k]));
      }
    }
  }
}

}  // namespace
}  // namespace thinwire
