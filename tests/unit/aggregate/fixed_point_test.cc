#include "server/aggregate/fixed_point.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/tensor/model_state.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

ModelSpec TwoTensors() {
  return *ModelSpec::Create(
      {{"w", {4}, DataType::kFloat32, TensorRole::kTrainable}, {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer}});
}

TEST(FixedPointTest, BitsAreWhatTheSumLeaves) {
  ASSERT_OK_AND_ASSIGN(const FixedPoint fixed_point, ChooseFixedPoint(TwoTensors(), {256, 1000}, 1 << 20, 10));
  // 2^20 * 10 needs 24 bits (rounded up), 62 - 24 = 38 are left under 2^8 and 2^10.
  EXPECT_EQ(fixed_point.bound_exponent, (std::vector<int>{8, 10}));
  EXPECT_EQ(fixed_point.quantum_exponent, (std::vector<int>{8 - 38, 10 - 38}));
}

TEST(FixedPointTest, NoMoreBitsAreTakenThanADoubleRoundsExactly) {
  ASSERT_OK_AND_ASSIGN(const FixedPoint fixed_point, ChooseFixedPoint(TwoTensors(), {1, 1}, 1, 1));
  EXPECT_EQ(fixed_point.quantum_exponent, (std::vector<int>{-50, -50}));
}

TEST(FixedPointTest, ConfigurationsWithFewerThan24BitsAreRefusedWithTheWayOut) {
  EXPECT_THAT(ChooseFixedPoint(TwoTensors(), {1, 1}, uint64_t{1} << 30, 1 << 8), IsOk());  // 62 - 38 = 24
  EXPECT_THAT(ChooseFixedPoint(TwoTensors(), {1, 1}, uint64_t{1} << 30, (1 << 8) + 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("23 bits")));
  EXPECT_THAT(ChooseFixedPoint(TwoTensors(), {1, 1}, ~uint64_t{0}, ~uint32_t{0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lower the largest number of examples")));
}

TEST(FixedPointTest, BoundsMustBePositiveAndFinite) {
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(ChooseFixedPoint(TwoTensors(), {1, bad}, 1, 1),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'mean'")))
        << bad;
  }
}

TEST(FixedPointTest, SurvivesTheJournal) {
  ASSERT_OK_AND_ASSIGN(const FixedPoint before, ChooseFixedPoint(TwoTensors(), {1e-3, 3e38}, 77, 1000));
  ASSERT_OK_AND_ASSIGN(const FixedPoint after, ParseFixedPoint(EncodeFixedPoint(before)));
  EXPECT_EQ(after.quantum_exponent, before.quantum_exponent);
  EXPECT_EQ(after.bound_exponent, before.bound_exponent);
  EXPECT_EQ(after.max_weight, 77u);
  EXPECT_EQ(after.max_updates, 1000u);
}

TEST(FixedPointTest, DamagedRulesAreRefusedSoThatNothingCanOverflow) {
  ASSERT_OK_AND_ASSIGN(const FixedPoint fixed_point, ChooseFixedPoint(TwoTensors(), {1, 1}, 77, 1000));
  const std::string bytes = EncodeFixedPoint(fixed_point);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(ParseFixedPoint(bytes.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  std::string finer = bytes;  // one bit more than fits
  finer[20] = static_cast<char>(finer[20] - 1);
  EXPECT_THAT(ParseFixedPoint(finer), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParseFixedPoint(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(FixedPointTest, BuffersAreBoundedByTheirCurrentValues) {
  ModelState state(TwoTensors());
  ModelStateSource source(state);
  EXPECT_THAT(ValueBounds(state.spec, source, 256), IsOkAndHolds(std::vector<double>{256, 65536}));
  state.floats[1] = {-8000, 2};
  EXPECT_THAT(ValueBounds(state.spec, source, 256), IsOkAndHolds(std::vector<double>{256, 128000}));
}

}  // namespace
}  // namespace thinwire
