#include "common/tensor/model_spec.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

std::string Refusal(std::vector<TensorSpec> tensors) {
  const absl::StatusOr<ModelSpec> spec = ModelSpec::Create(std::move(tensors));
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(spec.status().message());
}

TEST(ModelSpecTest, TheIdIsTheHashOfTheCanonicalText) {
  const absl::StatusOr<ModelSpec> spec = ModelSpec::Create({{"w", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                                                            {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                                                            {"table", {7}, DataType::kFloat32, TensorRole::kFrozen}});
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->id(), Sha256("w f32 trainable 2,3\nsteps i64 buffer \ntable f32 frozen 7\n"));
}

TEST(ModelSpecTest, CountsValuesByRole) {
  const absl::StatusOr<ModelSpec> spec =
      ModelSpec::Create({{"w", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                         {"empty", {4, 0}, DataType::kFloat32, TensorRole::kTrainable},
                         {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                         {"table", {7}, DataType::kFloat32, TensorRole::kFrozen}});
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->count(TensorRole::kTrainable), 6u);
  EXPECT_EQ(spec->count(TensorRole::kBuffer), 1u);
  EXPECT_EQ(spec->count(TensorRole::kFrozen), 7u);
  EXPECT_EQ(spec->total_count(), 14u);
}

TEST(ModelSpecTest, RefusesWhatNoModelHas) {
  const TensorSpec good = {"w", {1}, DataType::kFloat32, TensorRole::kTrainable};
  EXPECT_THAT(Refusal({}), HasSubstr("1 to"));
  EXPECT_THAT(Refusal({good, good}), HasSubstr("two tensors are named 'w'"));
  EXPECT_THAT(Refusal({{"", {1}}}), HasSubstr("1 to 256 characters"));
  EXPECT_THAT(Refusal({{std::string(257, 'n'), {1}}}), HasSubstr("257"));
  EXPECT_THAT(Refusal({{"a b", {1}}}), HasSubstr("printable"));
  EXPECT_THAT(Refusal({{"w", {-1}}}), HasSubstr("'w'"));
  EXPECT_THAT(Refusal({{"w", std::vector<int64_t>(17, 1)}}), HasSubstr("17 dimensions"));
  EXPECT_THAT(Refusal({{"w", {1, 1}, DataType::kInt64, TensorRole::kTrainable}}), HasSubstr("int64 and trainable"));
}

TEST(ModelSpecTest, AProductOfSizesThatOverflowsIsRefusedNotWrapped) {
  const int64_t big = int64_t{1} << 32;
  EXPECT_THAT(Refusal({{"w", {big, big, 4}}}), HasSubstr("at most 1099511627776"));
  EXPECT_THAT(Refusal({{"a", {int64_t{1} << 40}}, {"b", {1}}}), HasSubstr("1099511627777 values"));
}

TEST(ModelSpecTest, TheLastBlockIsTheShorterOne) {
  EXPECT_EQ(BlockCount(0), 0u);
  EXPECT_EQ(BlockCount(kBlockValues), 1u);
  EXPECT_EQ(BlockCount(kBlockValues + 1), 2u);
  EXPECT_EQ(BlockSize(kBlockValues + 1, 0), kBlockValues);
  EXPECT_EQ(BlockSize(kBlockValues + 1, 1), 1u);
}

}  // namespace
}  // namespace thinwire
