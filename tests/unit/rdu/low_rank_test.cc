#include "common/rdu/low_rank.h"

#include "common/rdu/rate_model.h"
#include "common/rdu/symmetric.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

MatrixView View(const std::vector<float>& values, size_t rows, size_t columns) {
  MatrixView view;
  view.rows = rows;
  view.columns = columns;
  view.values = values.data();
  return view;
}

double Dot(const std::vector<double>& a, size_t i, size_t j, size_t size) {
  double sum = 0;
  for (size_t k = 0; k < size; ++k) sum += a[i * size + k] * a[j * size + k];
  return sum;
}

// |matrix - product of factors|^2 / |matrix|^2
double Missing(const MatrixView& m, const Factors& f) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < m.rows; ++i) {
    for (size_t j = 0; j < m.columns; ++j) {
      double x = m.values[i * m.columns + j];
      energy += x * x;
      const size_t s = m.short_rows() ? i : j, l = m.short_rows() ? j : i;
      for (size_t k = 0; k < f.rank; ++k)
        x -= f.short_side[k * m.short_size() + s] * f.long_side[k * m.long_size() + l];
      error += x * x;
    }
  }
  return error / energy;
}

TEST(LowRank, FindsAnExactProductWhicheverSideIsShort) {
  for (const bool wide : {true, false}) {
    const size_t rows = wide ? 23 : 301, columns = wide ? 301 : 23;
    const std::vector<float> values = LowRankValues(1, rows, columns, 4, 0);
    const MatrixView view = View(values, rows, columns);
    const Factors factors = LeadingFactors(view, 8);
    EXPECT_EQ(factors.rank, 4u);
    EXPECT_LT(Missing(view, factors), 1e-10);
  }
}

TEST(LowRank, ComponentsAreOrthonormalAndDescendInEnergy) {
  const std::vector<float> values = LowRankValues(2, 40, 90, 6, 0.3f);
  const Factors factors = LeadingFactors(View(values, 40, 90), 10);
  ASSERT_EQ(factors.rank, 10u);
  for (size_t i = 0; i < 10; ++i) {
    for (size_t j = 0; j < 10; ++j) EXPECT_NEAR(Dot(factors.short_side, i, j, 40), i == j ? 1 : 0, 1e-10);
    EXPECT_NEAR(Dot(factors.long_side, i, i, 90) / factors.energy[i], 1, 1e-9);
    if (i > 0) {
      EXPECT_LE(factors.energy[i], factors.energy[i - 1]);
    }
  }
}

TEST(LowRank, ZerosHaveNoComponentsAndOthersNoMoreThanTheirShortSide) {
  EXPECT_EQ(LeadingFactors(View(std::vector<float>(200), 10, 20), 5).rank, 0u);
  const std::vector<float> values = BellValues(3, 60, 1);
  EXPECT_EQ(LeadingFactors(View(values, 3, 20), 50).rank, 3u);
}

TEST(LowRank, TheFittedLongSideIsTheLeastSquaresOne) {
  const std::vector<float> values = LowRankValues(4, 30, 50, 3, 0.1f);
  const MatrixView view = View(values, 30, 50);
  Factors factors = LeadingFactors(view, 3);
  for (double& x : factors.short_side) x = std::round(x * 8) / 8;  // quantised
  ASSERT_TRUE(FitLongSide(view, factors.short_side, 3, &factors.long_side));
  const double best = Missing(view, factors);
  for (const size_t at : {0u, 60u, 149u}) {
    for (const double change : {-0.01, 0.01}) {
      Factors other = factors;
      other.long_side[at] += change;
      EXPECT_GT(Missing(view, other), best);
    }
  }
  std::vector<double> dependent(60, 1.0);
  EXPECT_FALSE(FitLongSide(view, dependent, 2, &factors.long_side));
}

TEST(LowRank, EigenvaluesOfASymmetricMatrix) {
  std::vector<double> matrix = {2, 1, 0, 1, 2, 0, 0, 0, 7}, vectors;
  std::vector<double> values = Eigen(3, &matrix, &vectors);
  std::sort(values.begin(), values.end());
  EXPECT_NEAR(values[0], 1, 1e-12);
  EXPECT_NEAR(values[1], 3, 1e-12);
  EXPECT_NEAR(values[2], 7, 1e-12);
}

TEST(RateModel, BitsGrowAsTheStepShrinksAndRankFollowsStructure) {
  const std::vector<float> structured = LowRankValues(5, 50, 400, 3, 0.05f), noise = BellValues(6, 20000, 1);
  const TensorStatistics a(View(structured, 50, 400), 16), b(View(noise, 50, 400), 16);
  double before = 0;
  for (const double step : {100.0, 2.0, 0.5, 0.1, 0.01}) {
    const RankChoice choice = a.ChooseRank(step);
    EXPECT_GE(choice.cost.bits, before);
    before = choice.cost.bits;
    EXPECT_LE(b.ChooseRank(step).rank, 2u) << step;
  }
  EXPECT_NEAR(static_cast<double>(a.ChooseRank(1).rank), 3, 1);
  EXPECT_EQ(a.ChooseRank(100).cost.bits, 0);
}

}  // namespace
}  // namespace thinwire
