#include "common/codec/row_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "common/codec/exchange_plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

TensorSpec Tensor(const char* name, std::vector<int64_t> shape, TensorRole role = TensorRole::kTrainable) {
  return {name, std::move(shape), DataType::kFloat32, role};
}

// 1,013 row blocks, eleven of them short, and tensors that have none.
ModelSpec LargeModel() {
  std::vector<TensorSpec> tensors;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}) {
    tensors.push_back(Tensor(name, {410, 1000}));  // 100 row blocks and 400 values
    tensors.push_back(Tensor((std::string(name) + ".bias").c_str(), {410}));
  }
  tensors.push_back(Tensor("last", {100, 83}));  // 2 row blocks and 108 values
  tensors.push_back(Tensor("mean", {300, 300}, TensorRole::kBuffer));
  tensors.push_back(Tensor("frozen", {300, 300}, TensorRole::kFrozen));
  return *ModelSpec::Create(std::move(tensors));
}

uint64_t ValuesIn(const ModelSpec& spec, const RowBlockSet& set) {
  uint64_t values = 0;
  for (uint32_t t = 0; t < spec.tensors().size(); ++t) {
    const uint64_t count = spec.tensors()[t].count();
    for (uint64_t i = 0; i < RowBlockCount(count); ++i) values += set.Has(t, i) ? RowBlockSize(count, i) : 0;
  }
  return values;
}

CodecSpec Omc() { return OmcPlan().downlink; }

TEST(RowBlocks, MatricesHaveTwoDimensionsAndAThousandValues) {
  EXPECT_TRUE(IsQuantizedMatrix(Tensor("w", {32, 32})));
  EXPECT_TRUE(IsQuantizedMatrix(Tensor("conv", {64, 1, 1, 16})));
  EXPECT_FALSE(IsQuantizedMatrix(Tensor("small", {32, 31})));
  EXPECT_FALSE(IsQuantizedMatrix(Tensor("bias", {4096})));
  EXPECT_FALSE(IsQuantizedMatrix(Tensor("row", {1, 4096})));
  EXPECT_FALSE(IsQuantizedMatrix(Tensor("scalar", {})));
  EXPECT_FALSE(IsQuantizedMatrix(Tensor("buffer", {64, 64}, TensorRole::kBuffer)));
  EXPECT_FALSE(IsQuantizedMatrix({"ints", {64, 64}, DataType::kInt64, TensorRole::kFrozen}));
}

TEST(RowBlocks, WeightsOnlyLeavesTheRestInFp32) {
  EXPECT_EQ(CodecOf(Omc(), Tensor("w", {32, 32})), Omc());
  EXPECT_EQ(CodecOf(Omc(), Tensor("bias", {4096})), CodecSpec::Fp32());
  CodecSpec all = Omc();
  all.blocks.weights_only = false;
  EXPECT_EQ(CodecOf(all, Tensor("bias", {4096})), all);
  EXPECT_EQ(CodecOf(all, Tensor("mean", {4096}, TensorRole::kBuffer)), CodecSpec::Fp32());
}

TEST(RowBlocks, NamedTensorsAreFp32AndMustBeThere) {
  CodecSpec codec = Omc();
  codec.blocks.fp32_tensors = {"a", "b.bias"};
  ASSERT_TRUE(codec.Validate().ok()) << codec.Validate();
  EXPECT_EQ(CodecOf(codec, Tensor("a", {64, 64})), CodecSpec::Fp32());
  EXPECT_EQ(CodecOf(codec, Tensor("aa", {64, 64})), codec);
  EXPECT_TRUE(CheckNamedTensors(codec, LargeModel()).ok());
  for (uint32_t w = 0; w < 10; ++w) EXPECT_FALSE(DrawRowBlocks(LargeModel(), codec, 1, w).Has(0, 0));
  ExchangePlan plan = OmcPlan();
  plan.uplink.blocks.fp32_tensors = {"a", "encoder.0"};
  EXPECT_THAT(std::string(plan.CheckFits(LargeModel()).message()),
              testing::AllOf(testing::HasSubstr("uplink.value: fp32_tensors names 'encoder.0'"),
                             testing::HasSubstr("the first is 'a'")));
  plan.uplink.blocks.fp32_tensors = {"a", "a"};
  EXPECT_FALSE(plan.Validate().ok());
  plan.uplink.blocks.fp32_tensors = {""};
  EXPECT_FALSE(plan.Validate().ok());
}

TEST(RowBlocks, EveryRowBlockIsExactInExactlyOneWindow) {
  const ModelSpec spec = LargeModel();
  std::vector<RowBlockSet> windows;
  for (uint32_t w = 0; w < 10; ++w) windows.push_back(DrawRowBlocks(spec, Omc(), 77, w));
  for (uint32_t t = 0; t < spec.tensors().size(); ++t) {
    const bool coded = IsQuantizedMatrix(spec.tensors()[t]) && spec.tensors()[t].role == TensorRole::kTrainable;
    for (uint64_t i = 0; i < RowBlockCount(spec.tensors()[t].count()); ++i) {
      const auto times = std::count_if(windows.begin(), windows.end(), [&](auto& set) { return set.Has(t, i); });
      EXPECT_EQ(times, coded ? 1 : 0) << spec.tensors()[t].name << " " << i;
    }
  }
}

TEST(RowBlocks, TheShareHoldsInEveryWindow) {
  const ModelSpec spec = LargeModel();
  for (const uint32_t one_in : {2u, 3u, 10u, 20u, 100u}) {
    CodecSpec codec = Omc();
    codec.blocks.exact_one_in = one_in;
    double values = 0;
    for (uint32_t w = 0; w < one_in; ++w)
      values += static_cast<double>(ValuesIn(spec, DrawRowBlocks(spec, codec, 5, w)));
    for (uint32_t w = 0; w < one_in; ++w) {
      const double share = static_cast<double>(ValuesIn(spec, DrawRowBlocks(spec, codec, 5, w))) / values;
      EXPECT_NEAR(share, 1.0 / one_in, 0.001);
    }
  }
}

TEST(RowBlocks, WithFewRowBlocksWindowsDifferByAtMostOne) {
  const ModelSpec spec = *ModelSpec::Create({Tensor("w", {128, 100})});  // 3 row blocks and 512 values
  int with_one = 0;
  for (uint32_t w = 0; w < 10; ++w) {
    const uint64_t values = ValuesIn(spec, DrawRowBlocks(spec, Omc(), 1, w));
    EXPECT_LE(values, kRowBlockValues);
    with_one += values > 0;
  }
  EXPECT_EQ(with_one, 4);
}

TEST(RowBlocks, TheSameKeyGivesTheSameSetAndAnotherKeyAnother) {
  const ModelSpec spec = LargeModel();
  EXPECT_TRUE(DrawRowBlocks(spec, Omc(), 9, 3) == DrawRowBlocks(LargeModel(), Omc(), 9, 3));
  EXPECT_FALSE(DrawRowBlocks(spec, Omc(), 9, 3) == DrawRowBlocks(spec, Omc(), 10, 3));
}

// The short row blocks too, of which there is one of each size: a window's number is drawn.
TEST(RowBlocks, OverManyKeysEveryRowBlockIsExactEquallyOften) {
  const ModelSpec spec = *ModelSpec::Create({Tensor("w", {128, 100}), Tensor("v", {64, 70})});
  std::vector<int> times(6, 0);
  constexpr int kKeys = 4000;
  for (uint64_t key = 0; key < kKeys; ++key) {
    const RowBlockSet drawn = DrawRowBlocks(spec, Omc(), key, 0);
    for (uint64_t i = 0; i < 4; ++i) times[i] += drawn.Has(0, i);
    for (uint64_t i = 0; i < 2; ++i) times[4 + i] += drawn.Has(1, i);
  }
  // Binomial with 4,000 draws of 0.1: a standard deviation of 19.
  for (const int t : times) EXPECT_NEAR(t, 400, 5 * 19) << testing::PrintToString(times);
}

TEST(RowBlocks, WithoutPartialQuantisationNothingIsExact) {
  CodecSpec codec = Omc();
  codec.blocks.exact_one_in = 0;
  EXPECT_EQ(ValuesIn(LargeModel(), DrawRowBlocks(LargeModel(), codec, 1, 0)), 0u);
  EXPECT_TRUE(RowBlockWindows(LargeModel(), codec).empty());
}

TEST(RowBlocks, TheSizesOfWindowsAreThoseThatAreDrawn) {
  const ModelSpec spec = LargeModel();
  std::vector<uint64_t> expected, drawn;
  for (const RowBlockWindow& window : RowBlockWindows(spec, Omc())) {
    uint64_t values = window.full * kRowBlockValues;
    for (const uint32_t size : window.shorter) values += size;
    expected.push_back(values);
  }
  for (uint32_t w = 0; w < 10; ++w) drawn.push_back(ValuesIn(spec, DrawRowBlocks(spec, Omc(), 3, w)));
  EXPECT_THAT(drawn, testing::UnorderedElementsAreArray(expected));
}

}  // namespace
}  // namespace thinwire
