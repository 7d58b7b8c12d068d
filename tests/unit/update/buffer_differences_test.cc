// What an update says of a model's buffers: which values, exact integers, and the payload on record.
#include "common/update/buffer_differences.h"

#include <cmath>
#include <limits>

#include "common/base/file.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/codec/hex_text.h"
#include "tests/unit/update/update_testing.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A net with one norm.
ModelSpec NormNet() {
  return *ModelSpec::Create({{"fc.weight", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                             {"norm.mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                             {"norm.steps", {}, DataType::kInt64, TensorRole::kBuffer},
                             {"gain", {}, DataType::kFloat32, TensorRole::kTrainable},
                             {"norm.var", {2}, DataType::kFloat32, TensorRole::kBuffer},
                             {"more.steps", {2}, DataType::kInt64, TensorRole::kBuffer}});
}

class BufferDifferencesTest : public testing::Test {
 protected:
  BufferDifferencesTest() {
    base_.floats[1] = {0.5f, -0.25f};
    base_.floats[4] = {1, 2};
    base_.ints[2] = {42};
    base_.ints[5] = {std::numeric_limits<int64_t>::max(), -7};
    trained_ = base_;
  }
  absl::StatusOr<BufferDifferences> Make() { return BufferDifferences::Create(model_, base_source_, trained_source_); }

  const ModelSpec model_ = NormNet();
  ModelState base_{model_}, trained_{model_};
  ModelStateSource base_source_{base_}, trained_source_{trained_};
};

TEST_F(BufferDifferencesTest, AllFloatsAreOneTensorAndAllIntegersAnother) {
  const ModelSpec spec = ReducedUpdateSpec(BudgetPlan(DefaultRdu()), model_);
  ASSERT_EQ(spec.tensors().size(), 3u);
  EXPECT_EQ(spec.tensors()[0].name, "thinwire.update/7");
  EXPECT_EQ(spec.tensors()[1].name, "thinwire.buffers");
  EXPECT_EQ(spec.tensors()[1].count(), 4u);
  EXPECT_EQ(spec.tensors()[2].name, "thinwire.counts");
  EXPECT_EQ(spec.tensors()[2].count(), 3u);
  trained_.floats[1] = {0.75f, 0.25f};
  trained_.floats[4] = {1, 1};
  trained_.ints[2] = {57};
  trained_.ints[5] = {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  ASSERT_OK_AND_ASSIGN(BufferDifferences differences, Make());
  std::vector<float> floats(3);
  ASSERT_THAT(differences.ReadFloats(1, 1, absl::MakeSpan(floats)), IsOk());
  EXPECT_THAT(floats, ElementsAre(0.5f, 0, -1));
  std::vector<int64_t> counts(3);
  ASSERT_THAT(differences.ReadInts(2, 0, absl::MakeSpan(counts)), IsOk());
  EXPECT_THAT(counts, ElementsAre(15, 1, std::numeric_limits<int64_t>::min() + 6));  // modulo 2^64
}

TEST_F(BufferDifferencesTest, ModelsWithoutBuffersHaveNoTensorOfThem) {
  const ExchangePlan plan = BudgetPlan(DefaultRdu());
  const ModelSpec weights = *ModelSpec::Create({{"w", {9}, DataType::kFloat32, TensorRole::kTrainable}});
  EXPECT_EQ(ReducedUpdateSpec(plan, weights).tensors().size(), 1u);
  const ModelSpec steps = *ModelSpec::Create({{"w", {9}, DataType::kFloat32, TensorRole::kTrainable},
                                              {"nothing", {0}, DataType::kFloat32, TensorRole::kBuffer},
                                              {"steps", {}, DataType::kInt64, TensorRole::kBuffer}});
  const ModelSpec spec = ReducedUpdateSpec(plan, steps);
  ASSERT_EQ(spec.tensors().size(), 2u);
  EXPECT_EQ(spec.tensors()[1].name, "thinwire.counts");
}

TEST_F(BufferDifferencesTest, WhatIsNotFiniteIsRefusedByTensor) {
  trained_.floats[4][1] = NAN;
  EXPECT_THAT(Make(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'norm.var' is nan at value 1")));
  trained_.floats[4][1] = std::numeric_limits<float>::max();
  base_.floats[4][1] = -std::numeric_limits<float>::max();
  EXPECT_THAT(Make(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'norm.var'")));
}

// Tensors that are cut by blocks of the one that they travel in, and the other way round.
TEST(LargeBuffersTest, EveryValueIsInItsPlace) {
  const ModelSpec model = *ModelSpec::Create({{"a", {kBlockValues - 10}, DataType::kFloat32, TensorRole::kBuffer},
                                              {"w", {1}, DataType::kFloat32, TensorRole::kTrainable},
                                              {"b", {2, kBlockValues}, DataType::kFloat32, TensorRole::kBuffer}});
  const ModelState base(model);
  ModelState trained(model);
  for (const size_t tensor : {size_t{0}, size_t{2}}) {
    for (size_t i = 0; i < trained.floats[tensor].size(); ++i) {
      trained.floats[tensor][i] = static_cast<float>(i % 7) * (tensor == 0 ? 1 : -1);  // lawful in S1E3M2
    }
  }
  ModelStateSource base_source(base), trained_source(trained);
  ASSERT_OK_AND_ASSIGN(BufferDifferences differences, BufferDifferences::Create(model, base_source, trained_source));
  std::vector<float> all(3 * size_t{kBlockValues} - 10);
  ASSERT_THAT(differences.ReadFloats(1, 0, absl::MakeSpan(all)), IsOk());
  std::vector<float> expected = trained.floats[0];
  expected.insert(expected.end(), trained.floats[2].begin(), trained.floats[2].end());
  EXPECT_EQ(all, expected);
}

// The example of docs/wire_format.md: an update with buffers is read as on record, and written today.
TEST_F(BufferDifferencesTest, ThePayloadOnRecordIsReadAndWrittenToday) {
  const auto text = ReadWholeFile(THINWIRE_SOURCE_DIR "/tests/golden/updates/with_buffers.txt", 1 << 16);
  ASSERT_THAT(text, IsOk());
  auto fields = ParseFields(*text);
  base_.ints[5] = {42, 0};
  trained_ = base_;
  trained_.floats[1] = {0.4f, -0.25f};
  trained_.floats[4] = {0.01f, 2.3f};
  trained_.ints[2] = {57};
  trained_.ints[5] = {57, -1};
  ASSERT_OK_AND_ASSIGN(BufferDifferences differences, Make());
  const ModelSpec spec = ReducedUpdateSpec(BudgetPlan(DefaultRdu()), model_);
  const TemporaryDirectory folder;
  const std::string bytes, path = folder.Path("update");
  EncodeOptions options{Representation::kDelta, CodecSpec::Update(CodecId::kRdu), Sha256("a base")};
  options.update = &bytes;
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(spec, options, differences, path));
  EXPECT_EQ(HexTextFromBytes(*ReadWholeFile(path, 1 << 16)), HexTextFromBytes(BytesFromHexText(fields["payload"])));
  EXPECT_EQ(ref.id.Hex(), fields["id"]);

  ASSERT_THAT(WriteFileAtomically(path, BytesFromHexText(fields["payload"])), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, PayloadRef(), spec));
  std::vector<float> floats(4);
  ASSERT_THAT(reader.DecodeFloats(1, absl::MakeSpan(floats)), IsOk());
  EXPECT_THAT(floats, ElementsAre(-0.09375f, 0, -0.875f, 0.3125f));  // 1 - 0.875 is more than 0.01
  std::vector<int64_t> counts(3);
  ASSERT_THAT(reader.DecodeInts(2, absl::MakeSpan(counts)), IsOk());
  EXPECT_THAT(counts, ElementsAre(15, 15, -1));
}

}  // namespace
}  // namespace thinwire
