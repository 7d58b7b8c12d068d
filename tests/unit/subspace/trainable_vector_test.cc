#include "common/subspace/trainable_vector.h"

#include <numeric>
#include <utility>
#include <vector>

#include "common/subspace/fastfood.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ModelSpec Model() {
  return *ModelSpec::Create({{"first", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                             {"buffer", {7}, DataType::kFloat32, TensorRole::kBuffer},
                             {"empty", {0, 5}, DataType::kFloat32, TensorRole::kTrainable},
                             {"frozen", {4}, DataType::kFloat32, TensorRole::kFrozen},
                             {"scalar", {}, DataType::kFloat32, TensorRole::kTrainable},
                             {"last", {5}, DataType::kFloat32, TensorRole::kTrainable}});
}

// Value i of tensor t is 100 t + i.
class NumberedSource : public BlockSource {
 public:
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    std::iota(out.begin(), out.end(), static_cast<float>(100 * tensor + first));
    return tensor == fail_at ? absl::DataLossError("the file is damaged") : absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override {
    return absl::InternalError("nobody asks for integers");
  }
  uint32_t fail_at = 99;
};

TEST(TrainableVectorTest, IsTheTrainableTensorsOneAfterTheOther) {
  const TrainableVector vector(Model());
  ASSERT_EQ(vector.size(), 12u);
  NumberedSource source;
  std::vector<float> values(12);
  ASSERT_THAT(vector.Read(source, 0, absl::MakeSpan(values)), IsOk());
  EXPECT_THAT(values, ElementsAre(0, 1, 2, 3, 4, 5, 400, 500, 501, 502, 503, 504));
}

TEST(TrainableVectorTest, EveryRangeIsThatPartOfTheWhole) {
  const TrainableVector vector(Model());
  NumberedSource source;
  std::vector<float> all(12);
  ASSERT_THAT(vector.Read(source, 0, absl::MakeSpan(all)), IsOk());
  for (size_t first = 0; first <= 12; ++first) {
    for (size_t count = 0; first + count <= 12; ++count) {
      std::vector<float> part(count);
      ASSERT_THAT(vector.Read(source, first, absl::MakeSpan(part)), IsOk());
      ASSERT_TRUE(std::equal(part.begin(), part.end(), all.begin() + static_cast<ptrdiff_t>(first)));
    }
  }
}

TEST(TrainableVectorTest, PiecesNameTensorPlaceAndOffset) {
  std::vector<std::vector<uint64_t>> pieces;
  ASSERT_THAT(
      TrainableVector(Model()).ForEachPiece(4, 5,
                                            [&](const TrainableVector::Piece& piece) {
                                              pieces.push_back({piece.tensor, piece.first, piece.count, piece.offset});
                                              return absl::OkStatus();
                                            }),
      IsOk());
  EXPECT_THAT(pieces, ElementsAre(ElementsAre(0, 4, 2, 0), ElementsAre(4, 0, 1, 2), ElementsAre(5, 0, 2, 3)));
}

TEST(TrainableVectorTest, RangesBeyondTheEndAreRefusedAndErrorsOfTheSourceArePassedOn) {
  const TrainableVector vector(Model());
  NumberedSource source;
  std::vector<float> values(13);
  EXPECT_THAT(vector.Read(source, 0, absl::MakeSpan(values)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("12")));
  EXPECT_THAT(vector.Read(source, ~uint64_t{0}, absl::MakeSpan(values)), StatusIs(absl::StatusCode::kInvalidArgument));
  source.fail_at = 4;
  EXPECT_THAT(vector.Read(source, 0, absl::MakeSpan(values).subspan(0, 12)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  EXPECT_EQ(TrainableVector(ModelSpec()).size(), 0u);
}

}  // namespace
}  // namespace thinwire
