// Top-k updates in the sums: entries land in their tensors, weighted; what is out of place costs the update only.
#include <memory>
#include <optional>
#include <vector>

#include "common/base/status_macros.h"
#include "common/codec/exchange_plan.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/aggregate/folder.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

class SparseFoldTest : public testing::Test {
 protected:
  static constexpr uint64_t kFirst = 70'000;  // values of the first trainable tensor: more than a block
  SparseFoldTest()
      : model_(*ModelSpec::Create({{"w", {kFirst}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                   {"b", {10}, DataType::kFloat32, TensorRole::kTrainable}})),
        plan_(TopKPlan(3)),
        update_(ReducedUpdateSpec(plan_, model_)) {
    ModelState weights(model_);
    weights.floats[1] = {1, 2};
    ModelStateSource source(weights);
    base_ref_ =
        EncodePayload(model_, {Representation::kModel, CodecSpec::Fp32(), {}}, source, folder_.Path("base")).value();
    base_.emplace(PayloadReader::Open(folder_.Path("base"), base_ref_, model_).value());
    sums_ = Accumulator::Create(model_, *ChooseFixedPoint(model_, {1000, 1000, 1000}, 100, 10)).value();
    form_.base_tensors = form_.sum_tensors = TensorsOfReducedUpdate(model_);
  }

  absl::StatusOr<FoldReport> Fold(const SparseEntries& entries, uint64_t weight, double max_norm = 1e6,
                                  double clip_norm = 0) {
    ModelState state(update_);
    state.floats[1] = {2, 2};
    ModelStateSource source(state);
    EncodeOptions options{Representation::kDelta, plan_.uplink, base_ref_.id};
    options.entries = &entries;
    const std::string path = folder_.Path("update");
    TW_ASSIGN_OR_RETURN(const PayloadRef ref, EncodePayload(update_, options, source, path));
    FoldRequest request{path, ref, &*base_, base_ref_.id, weight, max_norm};
    request.clip_norm = clip_norm;
    request.form = &form_;
    return FoldUpdate(update_, request, sums_.get());
  }
  float Mean(uint32_t tensor, uint64_t index) {
    std::vector<float> values(model_.tensors()[tensor].count());
    EXPECT_THAT(sums_->ReadFloats(tensor, 0, absl::MakeSpan(values)), IsOk());
    return values[index];
  }

  TemporaryDirectory folder_;
  const ModelSpec model_;
  const ExchangePlan plan_;
  const ModelSpec update_;
  PayloadRef base_ref_;
  std::optional<PayloadReader> base_;
  std::unique_ptr<Accumulator> sums_;
  UpdateForm form_;
};

TEST_F(SparseFoldTest, EntriesAreMeansOfTheirOwnWeightsAndAbsentOnesAreZeros) {
  ASSERT_OK_AND_ASSIGN(const FoldReport report, Fold({{5, kFirst - 1, kFirst + 9}, {2, 4, 4}}, 1));
  EXPECT_DOUBLE_EQ(report.norm, 6);
  ASSERT_THAT(Fold({{5, 66'000, kFirst}, {6, 8, -4}}, 3), IsOk());
  EXPECT_FLOAT_EQ(Mean(0, 5), (2 * 1 + 6 * 3) / 4.0f);
  EXPECT_FLOAT_EQ(Mean(0, kFirst - 1), 1);
  EXPECT_FLOAT_EQ(Mean(0, 66'000), 6);
  EXPECT_FLOAT_EQ(Mean(2, 0), -3);
  EXPECT_FLOAT_EQ(Mean(2, 9), 1);
  EXPECT_EQ(Mean(0, 6), 0);
  EXPECT_FLOAT_EQ(Mean(1, 0), 1);  // a buffer of 2 against 1 in R
  EXPECT_FLOAT_EQ(Mean(1, 1), 0);
}

TEST_F(SparseFoldTest, ClippingScalesEntries) {
  ASSERT_OK_AND_ASSIGN(const FoldReport report, Fold({{0, 1, 2}, {6, 0, 8}}, 1, 1e6, 5));
  EXPECT_TRUE(report.clipped);
  EXPECT_FLOAT_EQ(Mean(0, 0), 3);
  EXPECT_FLOAT_EQ(Mean(0, 2), 4);
}

TEST_F(SparseFoldTest, NormAndBoundsHoldForEntries) {
  EXPECT_THAT(Fold({{0, 1, 2}, {6, 0, 8}}, 1, 9),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("L2 norm is 10")));
  EXPECT_THAT(Fold({{0, 1, kFirst + 1}, {6, 0, 1e6f}}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("thinwire.entries")));
  ASSERT_THAT(Fold({{0, 1, 2}, {1, 1, 1}}, 1), IsOk());
  EXPECT_FLOAT_EQ(Mean(0, 0), 1);
}

TEST_F(SparseFoldTest, PositionsBeyondTheModelAreRefused) {
  EXPECT_THAT(Fold({{0, 1, kFirst + 10}, {1, 1, 1}}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pass the end")));
}

}  // namespace
}  // namespace thinwire
