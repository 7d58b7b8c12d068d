#include "client/train/model_init.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

ModelState Blank() {
  ModelState state(ModelSpec::Create({{"conv.weight", {8, 4, 5, 5}},
                                      {"conv.bias", {8}},
                                      {"bn.weight", {8}},
                                      {"bn.bias", {8}},
                                      {"bn.running_var", {8}, DataType::kFloat32, TensorRole::kBuffer},
                                      {"bn.num_batches_tracked", {}, DataType::kInt64, TensorRole::kBuffer}})
                       .value());
  std::fill(state.floats[2].begin(), state.floats[2].end(), 1.0f);
  return state;
}

// What a model with the norms and buffers of `blank` starts from.
void InitializeWeights(uint64_t seed, ModelState* blank) {
  ModelState state(blank->spec);
  ModelStateSource others(*blank);
  FreshWeights fresh(seed, InitialBounds(blank->spec), &others);
  EXPECT_TRUE(ReadModel(fresh, &state).ok());
  *blank = std::move(state);
}

float Largest(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

TEST(ModelInit, DrawsWeightsAndTheirBiasWithinOneOverTheRootOfTheFanIn) {
  ModelState state = Blank();
  InitializeWeights(3, &state);
  EXPECT_LE(Largest(state.floats[0]), 0.1f);
  EXPECT_GT(Largest(state.floats[0]), 0.099f);
  EXPECT_LE(Largest(state.floats[1]), 0.1f);
  EXPECT_GT(Largest(state.floats[1]), 0.0f);
}

TEST(ModelInit, LeavesNormalisationAndBuffersAlone) {
  ModelState state = Blank();
  InitializeWeights(3, &state);
  EXPECT_THAT(state.floats[2], ::testing::Each(1.0f));
  EXPECT_THAT(state.floats[3], ::testing::Each(0.0f));
  EXPECT_THAT(state.floats[4], ::testing::Each(0.0f));
}

TEST(ModelInit, DependsOnTheSeedAlone) {
  ModelState a = Blank(), b = Blank(), c = Blank();
  InitializeWeights(3, &a);
  InitializeWeights(3, &b);
  InitializeWeights(4, &c);
  EXPECT_EQ(a.floats, b.floats);
  EXPECT_NE(a.floats, c.floats);
}

TEST(ModelInit, APartOfATensorIsTheSameWhereverReadingBegins) {
  const ModelState blank = Blank();
  ModelStateSource others(blank);
  FreshWeights fresh(3, InitialBounds(blank.spec), &others);
  std::vector<float> whole(800), part(37);
  ASSERT_TRUE(fresh.ReadFloats(0, 0, absl::MakeSpan(whole)).ok());
  for (const size_t first : {1u, 2u, 500u, 763u}) {
    ASSERT_TRUE(fresh.ReadFloats(0, first, absl::MakeSpan(part)).ok());
    EXPECT_EQ(part, std::vector<float>(whole.begin() + static_cast<ptrdiff_t>(first),
                                       whole.begin() + static_cast<ptrdiff_t>(first + 37)));
  }
}

// All machines draw these, whatever their LibTorch.
TEST(ModelInit, KeepsItsBits) {
  ModelState state = Blank();
  InitializeWeights(3, &state);
  std::string bytes;
  for (size_t tensor = 0; tensor < 2; ++tensor) {
    for (const float value : state.floats[tensor]) AppendLittle(FloatBits(value), &bytes);
  }
  EXPECT_EQ(Crc32c(bytes), 0xb062a571u);
}

}  // namespace
}  // namespace thinwire
