#include "common/rdu/plane_coder.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

struct Plane {
  size_t rows, columns;
  std::vector<double> values;
};

std::string Encode(const Plane& plane, double slope, std::vector<int32_t>* coefficients) {
  std::string bytes;
  RangeEncoder coder(&bytes);
  CoefficientModel model;
  PlaneEncoder encoder(PlaneKind::kMatrix, plane.columns, &model, &coder);
  coefficients->resize(plane.values.size());
  for (size_t i = 0; i < plane.rows; ++i) {
    encoder.EncodeRow(&plane.values[i * plane.columns], slope, &(*coefficients)[i * plane.columns]);
  }
  coder.Finish(encoder.needed(RangeEncoder::Mark()));
  return bytes;
}

std::vector<int32_t> Decode(const Plane& plane, const std::string& bytes) {
  RangeDecoder coder(bytes);
  CoefficientModel model;
  PlaneDecoder decoder(PlaneKind::kMatrix, plane.columns, &model, &coder);
  std::vector<int32_t> coefficients(plane.values.size(), -1);
  for (size_t i = 0; i < plane.rows; ++i) decoder.DecodeRow(&coefficients[i * plane.columns]);
  return coefficients;
}

Plane Draw(uint64_t seed, size_t rows, size_t columns, double scale) {
  Plane plane{rows, columns, {}};
  for (const float v : BellValues(seed, rows * columns, static_cast<float>(scale))) {
    plane.values.push_back(v * (v > 0 ? v : 1));
  }
  return plane;
}

TEST(PlaneCoder, CoefficientsComeBackWhateverTheWidth) {
  for (const size_t columns : {1u, 2u, 31u, 32u, 33u, 100u}) {
    for (const double scale : {0.2, 1.0, 50.0, 1e8}) {
      const Plane plane = Draw(columns, 20, columns, scale);
      std::vector<int32_t> coefficients;
      const std::string bytes = Encode(plane, kSlope, &coefficients);
      EXPECT_EQ(Decode(plane, bytes), coefficients) << columns << " " << scale;
    }
  }
}

TEST(PlaneCoder, WithoutSlopeValuesAreRoundedToTheNearest) {
  const Plane plane = Draw(1, 30, 60, 3);
  std::vector<int32_t> coefficients;
  Encode(plane, 0, &coefficients);
  for (size_t i = 0; i < coefficients.size(); ++i) {
    EXPECT_LE(std::fabs(plane.values[i] - coefficients[i]), 0.55) << plane.values[i];
  }
}

TEST(PlaneCoder, ASteeperSlopeSpendsFewerBits) {
  const Plane plane = Draw(2, 40, 200, 1);
  std::vector<int32_t> coefficients;
  size_t before = 1 << 30;
  for (const double slope : {0.0, 0.1, 0.3, 1.0}) {
    const size_t size = Encode(plane, slope, &coefficients).size();
    EXPECT_LT(size, before) << slope;
    before = size;
  }
}

TEST(PlaneCoder, RowsAndColumnsThatDifferAreLearned) {
  // The same magnitudes, in rows and columns of their own or shuffled.
  Plane plane = Draw(3, 64, 256, 1), shuffled = plane;
  for (size_t i = 0; i < 64; ++i) {
    for (size_t j = 0; j < 256; ++j) plane.values[i * 256 + j] *= (i % 8 == 0 ? 4.0 : 0.3) * (j % 5 == 0 ? 4.0 : 0.3);
  }
  shuffled.values = plane.values;
  RandomStream(4).Shuffle(shuffled.values);
  std::vector<int32_t> coefficients;
  EXPECT_LT(Encode(plane, kSlope, &coefficients).size(), Encode(shuffled, kSlope, &coefficients).size() * 17 / 20);
}

TEST(PlaneCoder, ReconstructionIsOddAndAscends) {
  for (int32_t c = 0; c < 100; ++c) {
    EXPECT_EQ(Reconstruct(-c), -Reconstruct(c));
    EXPECT_LT(Reconstruct(c), Reconstruct(c + 1));
    EXPECT_NEAR(Reconstruct(c), c, 0.05);
  }
}

}  // namespace
}  // namespace thinwire
