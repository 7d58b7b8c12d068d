// K vectors in one round: each update adds to the sums of its own one, all examples divide them.
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "server/aggregate/folder.h"
#include "tests/testing/payload_values.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

class SubspaceFoldTest : public ::testing::Test {
 protected:
  SubspaceFoldTest()
      : model_(*ModelSpec::Create({{"w", {100'000}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer}})) {
    plan_.dimension = 70'000;  // more than a block: vectors begin in the middle of one
    plan_.vectors = 3;
    version_ = ModelState(CoordinatesSpec(model_, plan_));
    version_.floats[1] = {1, 2};
    ModelStateSource source(version_);
    base_ref_ =
        EncodePayload(version_.spec, {Representation::kModel, CodecSpec::Fp32(), {}}, source, folder_.Path("base"))
            .value();
    base_.emplace(PayloadReader::Open(folder_.Path("base"), base_ref_, version_.spec).value());
    sums_ = Accumulator::Create(version_.spec, *ChooseFixedPoint(version_.spec, {1000, 1000}, 100, 10)).value();
  }

  // `planted`: what its first coordinate is to be instead.
  absl::Status Fold(uint32_t vector, float moved, uint64_t weight, float buffer,
                    std::optional<float> planted = std::nullopt) {
    ModelState update(CoordinatesUpdateSpec(model_, plan_));
    std::fill(update.floats[0].begin(), update.floats[0].end(), moved);
    update.floats[1] = {buffer, buffer};
    ModelStateSource source(update);
    const std::string path = folder_.Path("update");
    absl::StatusOr<PayloadRef> ref =
        EncodePayload(update.spec, {Representation::kDelta, CodecSpec::Fp32(), base_ref_.id}, source, path);
    EXPECT_THAT(ref, IsOk());
    if (planted.has_value()) {
      std::string bytes = *ReadWholeFile(path, ref->total_size);
      ref = PlantValue(*ref, 0, *planted, &bytes);
      EXPECT_THAT(WriteFileAtomically(path, bytes), IsOk());
    }
    FoldRequest request{path, *ref, &*base_, base_ref_.id, weight, 1e6};
    request.first_coordinate = vector * plan_.dimension;
    return FoldUpdate(update.spec, request, sums_.get()).status();
  }
  std::vector<float> Mean(uint32_t vector) {
    std::vector<float> all(plan_.vectors * plan_.dimension);
    EXPECT_THAT(sums_->ReadFloats(0, 0, absl::MakeSpan(all)), IsOk());
    const auto first = all.begin() + static_cast<ptrdiff_t>(vector * plan_.dimension);
    return {first, first + static_cast<ptrdiff_t>(plan_.dimension)};
  }

  TemporaryDirectory folder_;
  const ModelSpec model_;
  SubspacePlan plan_;
  ModelState version_;
  PayloadRef base_ref_;
  std::optional<PayloadReader> base_;
  std::unique_ptr<Accumulator> sums_;
};

TEST_F(SubspaceFoldTest, AVectorsMeanIsItsOwnSumOverAllExamplesAndAnUntrainedOneStands) {
  ASSERT_THAT(Fold(0, 1.0f, 1, 1), IsOk());
  ASSERT_THAT(Fold(2, 2.0f, 3, 5), IsOk());
  ASSERT_THAT(Fold(0, 3.0f, 4, 1), IsOk());
  EXPECT_THAT(Mean(0), Each((1.0f * 1 + 3.0f * 4) / 8));
  EXPECT_THAT(Mean(1), Each(0.0f));
  EXPECT_THAT(Mean(2), Each(2.0f * 3 / 8));
  std::vector<float> buffer(2);
  ASSERT_THAT(sums_->ReadFloats(1, 0, absl::MakeSpan(buffer)), IsOk());
  EXPECT_FLOAT_EQ(buffer[0], (0.0f * 1 + 4.0f * 3 + 0.0f * 4) / 8);
}

TEST_F(SubspaceFoldTest, CoordinatesThatAreTooLargeCostTheUpdateOnly) {
  EXPECT_THAT(Fold(1, 1e5f, 1, 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("thinwire.coordinates")));
  ASSERT_THAT(Fold(1, 1.0f, 1, 1), IsOk());
  EXPECT_THAT(Mean(1), Each(1.0f));
}

TEST_F(SubspaceFoldTest, CoordinatesThatAreNoNumbersCostTheUpdateOnly) {
  ASSERT_THAT(Fold(1, 1.0f, 1, 1, 3.0f), IsOk()) << "a payload that is made anew is read";
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(Fold(1, 1.0f, 1, 1, bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                                   AllOf(HasSubstr("thinwire.coordinates"), HasSubstr("finite"))));
  }
  EXPECT_EQ(sums_->updates(), 1u);
  ASSERT_THAT(Fold(1, 2.0f, 1, 1), IsOk());
  EXPECT_EQ(Mean(1)[0], (3.0f + 2.0f) / 2);
  EXPECT_EQ(Mean(1)[1], (1.0f + 2.0f) / 2);
}

}  // namespace
}  // namespace thinwire
