#include "common/update/update_coder.h"

#include <limits>

#include "absl/strings/numbers.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/codec/update_frame.h"
#include "gmock/gmock.h"
#include "tests/unit/codec/hex_text.h"
#include "tests/unit/update/update_testing.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::HasSubstr;

class UpdateCoderTest : public testing::Test {
 protected:
  const UpdateLayout layout_{SmallNet()};
  const std::vector<float> values_ = RandomValues(5, layout_.size());
};

TEST_F(UpdateCoderTest, TheLayoutIsOfTrainableTensorsThatHaveValues) {
  ASSERT_EQ(layout_.tensors().size(), 4u);
  EXPECT_EQ(layout_.size(), 432u + 16 + 4800 + 1);
  EXPECT_EQ(layout_.tensors()[2].index, 4u);
  EXPECT_EQ(layout_.tensors()[2].first, 448u);
  EXPECT_EQ(layout_.tensors()[2].dimensions, (std::vector<uint64_t>{40, 120}));
}

TEST_F(UpdateCoderTest, EveryMethodKeepsWithinItsBytesAndComesBackNearer) {
  for (const UpdatePlan& plan : AllMethods()) {
    double last = std::numeric_limits<double>::infinity();
    for (const uint64_t bytes : {700u, 2600u}) {
      ASSERT_OK_AND_ASSIGN(const std::string coded, CodeUpdate(plan, layout_, values_, bytes, 9));
      EXPECT_LE(coded.size(), bytes) << plan.Name();
      ASSERT_OK_AND_ASSIGN(const std::vector<float> decoded, DecodeAll(plan.codec(), coded, layout_));
      const double error = RelativeError(values_, decoded);
      if (plan.suits_error_feedback()) {
        EXPECT_LT(error, 1) << plan.Name();
      }
      if (plan.method != UpdateMethod::kSign) {
        EXPECT_LT(error, last) << plan.Name();
      }
      last = error;
    }
  }
}

TEST_F(UpdateCoderTest, TheSeedAloneDecidesRandomRounding) {
  for (const UpdatePlan& plan : AllMethods()) {
    const auto code = [&](uint64_t seed) { return *CodeUpdate(plan, layout_, values_, 2600, seed); };
    EXPECT_EQ(code(1), code(1));
    const bool random = plan.method == UpdateMethod::kQsgd || plan.method == UpdateMethod::kEden;
    EXPECT_EQ(code(1) != code(2), random) << plan.Name();
  }
}

// What LeastUpdateBytes says is enough for anything, and one byte less is not even for zeros.
TEST_F(UpdateCoderTest, TheLeastBytesAreThoseOfAnUpdateOfNothing) {
  const std::vector<float> zeros(layout_.size());
  for (const UpdatePlan& plan : AllMethods()) {
    const uint64_t least = LeastUpdateBytes(plan, layout_);
    for (const std::vector<float>& values : {zeros, values_}) {
      ASSERT_OK_AND_ASSIGN(const std::string coded, CodeUpdate(plan, layout_, values, least, 9));
      EXPECT_EQ(coded.size(), least) << plan.Name();
      ASSERT_OK_AND_ASSIGN(const std::vector<float> decoded, DecodeAll(plan.codec(), coded, layout_));
      if (plan.method != UpdateMethod::kSign || values == zeros) {
        EXPECT_THAT(decoded, Each(0.0f)) << plan.Name();
      }
    }
    if (least == 0) continue;
    EXPECT_THAT(CodeUpdate(plan, layout_, zeros, least - 1, 9),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat(8 * least))))
        << plan.Name();
  }
}

TEST_F(UpdateCoderTest, BetweenNothingAndItsFirstLevelQsgdSendsZeros) {
  const UpdatePlan plan = *UpdatePlan::Parse("qsgd:bits=1");
  const uint64_t least = LeastUpdateBytes(plan, layout_);
  ASSERT_OK_AND_ASSIGN(const std::string coded, CodeUpdate(plan, layout_, values_, least + 10, 9));
  EXPECT_THAT(*DecodeAll(plan.codec(), coded, layout_), Each(0.0f));
}

TEST_F(UpdateCoderTest, ValuesThatCannotTravelNameTheirTensor) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e30f}) {
    std::vector<float> values = values_;
    values[450] = bad;
    for (const UpdatePlan& plan : AllMethods()) {
      EXPECT_THAT(
          CodeUpdate(plan, layout_, values, 2600, 9),
          StatusIs(absl::StatusCode::kInvalidArgument, testing::AllOf(HasSubstr("'dense'"), HasSubstr("value 2"))))
          << plan.Name();
    }
  }
  EXPECT_THAT(CodeUpdate(*UpdatePlan::Parse("rdu:bits=1"), layout_, {1.0f}, 100, 9),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5249")));
}

TEST_F(UpdateCoderTest, ConstantTinyAndHugeUpdatesComeBackFinite) {
  for (const float constant : {1e-40f, 1e-20f, 0.5f, 1e20f}) {
    const std::vector<float> values(layout_.size(), constant);
    for (const UpdatePlan& plan : AllMethods()) {
      ASSERT_OK_AND_ASSIGN(const std::string coded, CodeUpdate(plan, layout_, values, 2600, 9));
      ASSERT_THAT(DecodeAll(plan.codec(), coded, layout_), IsOk()) << plan.Name() << " of " << constant;
    }
  }
}

// Whatever a hostile client sends: an error that names the fault, or finite values; never more than the model's memory.
TEST_F(UpdateCoderTest, CutDamagedAndForeignStringsAreRefusedOrFinite) {
  RandomStream random(77);
  for (const UpdatePlan& plan : AllMethods()) {
    const std::string coded = *CodeUpdate(plan, layout_, values_, 900, 9);
    for (int i = 0; i < 300; ++i) {
      std::string bytes = coded;
      if (i % 3 == 0) bytes.resize(random.Below(bytes.size()));
      if (i % 3 == 1) bytes[random.Below(bytes.size())] ^= static_cast<char>(1 + random.Below(255));
      if (i % 3 == 2) bytes.append(1 + random.Below(9), static_cast<char>(random.Below(256)));
      const absl::StatusOr<std::vector<float>> decoded = DecodeAll(plan.codec(), bytes, layout_);
      if (!decoded.ok()) {
        EXPECT_TRUE(absl::IsInvalidArgument(decoded.status()) || absl::IsUnimplemented(decoded.status()))
            << decoded.status();
        EXPECT_GT(decoded.status().message().size(), 20u);
        continue;
      }
      for (const float value : *decoded) ASSERT_TRUE(std::isfinite(value)) << plan.Name();
    }
  }
}

TEST_F(UpdateCoderTest, StringsForAnotherModelAndTrailingBytesAreRefused) {
  const UpdateLayout other(*ModelSpec::Create({{"w", {5248}, DataType::kFloat32, TensorRole::kTrainable}}));
  for (const UpdatePlan& plan : AllMethods()) {
    const std::string coded = *CodeUpdate(plan, layout_, values_, 900, 9);
    if (plan.codec() == CodecId::kQuantized) {
      EXPECT_THAT(DecodeAll(plan.codec(), coded, other),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the model")))
          << plan.Name();
    }
    EXPECT_THAT(DecodeAll(plan.codec(), coded + std::string(40, '\x55'), layout_),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << plan.Name();
  }
}

TEST_F(UpdateCoderTest, AVisitorsErrorStopsTheDecoding) {
  for (const UpdatePlan& plan : AllMethods()) {
    const std::string coded = *CodeUpdate(plan, layout_, values_, 900, 9);
    int visits = 0;
    EXPECT_THAT(DecodeUpdateString(plan.codec(), coded, layout_,
                                   [&visits](const UpdateLayout::Tensor&, absl::Span<float>) {
                                     ++visits;
                                     return absl::AbortedError("enough");
                                   }),
                StatusIs(absl::StatusCode::kAborted));
    EXPECT_EQ(visits, 1);
  }
}

// The examples of docs/wire_format.md: frames on record are read as on record, and written today.
TEST(GoldenUpdateFrameTest, FramesDecodeToTheValuesOnRecordAndAreWrittenToday) {
  const ModelSpec model = *ModelSpec::Create({{"fc.weight", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                                              {"gain", {}, DataType::kFloat32, TensorRole::kTrainable}});
  const UpdateLayout layout(model);
  const std::vector<float> values = {0.5f, -0.25f, 0.125f, 1, -1.5f, 0.001f, 0.75f};
  for (const auto& [name, plan] : {std::pair<std::string, std::string>("rdu", "rdu:bits=1"),
                                   {"rdu_fast", "rdu:bits=1,fast"},
                                   {"rdu_companded", "rdu:bits=1,m=2"},
                                   {"quantized", "sign:bits=1"}}) {
    const auto text = ReadWholeFile(THINWIRE_SOURCE_DIR "/tests/golden/updates/" + name + ".txt", 1 << 16);
    ASSERT_THAT(text, IsOk());
    auto fields = ParseFields(*text);
    const std::string frame = BytesFromHexText(fields["frame"]);
    ASSERT_OK_AND_ASSIGN(const UpdatePiece piece, ReadUpdateFrame(frame, 7));
    ASSERT_OK_AND_ASSIGN(const std::vector<float> decoded, DecodeAll(piece.codec, piece.bytes, layout));
    std::string bits;
    for (const float value : decoded) {
      absl::StrAppend(&bits, bits.empty() ? "" : " ", absl::Hex(FloatBits(value), absl::kZeroPad8));
    }
    EXPECT_EQ(bits, fields["values"]) << name;
    const UpdatePlan codec = *UpdatePlan::Parse(plan);
    uint64_t budget = piece.bytes.size();  // but where the string is shorter than what it was given
    if (fields.count("budget") > 0) {
      ASSERT_TRUE(absl::SimpleAtoi(fields["budget"], &budget));
    }
    ASSERT_OK_AND_ASSIGN(const std::string bytes, CodeUpdate(codec, layout, values, budget, 0));
    std::string today;
    AppendUpdateFrame(codec.codec(), 7, bytes, &today);
    EXPECT_EQ(HexTextFromBytes(today), HexTextFromBytes(frame)) << name;
  }
}

}  // namespace
}  // namespace thinwire
