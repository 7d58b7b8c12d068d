// Updates at the edges: empty, tiny, constant, not finite, denormal, huge.
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::string> EncodeOne(Shape shape, const std::vector<float>& values, uint64_t bits) {
  return EncodeUpdate({UpdateTensor{values, shape}}, bits, nullptr);
}

TEST(UpdateEdge, NoTensorsAreTheEmptyUpdate) {
  EXPECT_EQ(*EncodeUpdate({}, 1000, nullptr), "");
  EXPECT_TRUE(Decode("", {}).ok());
}

TEST(UpdateEdge, ZerosAreTheEmptyUpdateAndComeBack) {
  UpdateReport report;
  const std::vector<float> zeros = {0.0f, -0.0f, 0.0f, 0.0f};
  const Shape shape = {2, 2};
  EXPECT_EQ(*EncodeUpdate({UpdateTensor{zeros, shape}}, 100000, &report), "");
  EXPECT_TRUE(report.finest);
  EXPECT_EQ((*Decode("", {{2, 2}}))[0], std::vector<float>(4));
}

TEST(UpdateEdge, ABudgetBelowTheSmallestStreamGivesTheEmptyUpdate) {
  const std::vector<float> values = BellValues(1, 1024, 1);
  for (uint64_t bits = 0; bits < 32; ++bits) EXPECT_EQ(*EncodeOne({1024}, values, bits), "") << bits;
  EXPECT_FALSE(EncodeOne({1024}, values, 200)->empty());
}

TEST(UpdateEdge, TensorsWithoutValuesTakeNoPlace) {
  TestUpdate update;
  update.Add({0}, {});
  update.Add({0, 7}, {});
  update.Add({7, 0}, {});
  update.Add({3}, {1.0f, 2.0f, -3.0f});
  const auto decoded = Decode(*EncodeUpdate(update.Tensors(), 400, nullptr), update.shapes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_LT(RelativeError(update, *decoded), 1e-4);
}

TEST(UpdateEdge, OneValueIsSentAsWellAsTheBudgetAllows) {
  for (const float value : {1.0f, -3e-20f, 5e30f}) {
    TestUpdate update;
    update.Add({1}, {value});
    const auto bytes = EncodeUpdate(update.Tensors(), 128, nullptr);
    EXPECT_LE(bytes->size(), 16u);
    EXPECT_LT(RelativeError(update, *Decode(*bytes, update.shapes)), 1e-6) << value;
  }
}

TEST(UpdateEdge, ConstantsAreNearlyFree) {
  TestUpdate update;
  update.Add({100, 100}, std::vector<float>(10000, 0.37f));
  const auto bytes = EncodeUpdateAtStep(update.Tensors(), 0.1, 32, nullptr);
  EXPECT_LE(bytes->size(), 150u);
  EXPECT_LT(RelativeError(update, *Decode(*bytes, update.shapes)), 1e-3);
}

TEST(UpdateEdge, WhatIsNotFiniteIsRefusedByName) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const absl::Status status = EncodeOne({2, 2}, {1, 2, bad, 3}, 1000).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("value 2 of tensor 0"));
  }
}

TEST(UpdateEdge, DimensionsMustMatchTheirValues) {
  EXPECT_EQ(EncodeOne({2, 3}, {1, 2}, 1000).status().code(), absl::StatusCode::kInvalidArgument);
  const uint64_t half = uint64_t{1} << 32;
  EXPECT_EQ(EncodeOne({half, half}, {}, 1000).status().code(), absl::StatusCode::kInvalidArgument);
  UpdateDecoder decoder = *UpdateDecoder::Create("");
  std::vector<float> out(3);
  EXPECT_EQ(decoder.Next({2, 2}, absl::MakeSpan(out)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(UpdateEdge, DenormalsAreSentOrTakenForZeros) {
  TestUpdate small, smallest;
  small.Add({64}, BellValues(2, 64, 1e-37f));
  EXPECT_LT(RelativeError(small, *Decode(*EncodeUpdate(small.Tensors(), 640, nullptr), small.shapes)), 0.05);
  smallest.Add({64}, std::vector<float>(64, std::numeric_limits<float>::denorm_min()));
  EXPECT_EQ(*EncodeUpdate(smallest.Tensors(), 640, nullptr), "");
}

TEST(UpdateEdge, TheLargestNumbersStayFinite) {
  TestUpdate update;
  RandomStream random(3);
  std::vector<float> values(32 * 64);
  for (float& v : values) v = std::numeric_limits<float>::max() * (random.Below(2) == 0 ? 1.0f : -1.0f);
  update.Add({32, 64}, values);
  for (const uint64_t bits : {500u, 2000u, 8000u}) {
    const auto decoded = Decode(*EncodeUpdate(update.Tensors(), bits, nullptr), update.shapes);
    for (const float v : (*decoded)[0]) ASSERT_TRUE(std::isfinite(v));
  }
}

TEST(UpdateEdge, ALoneGiantDoesNotHideThatTheFinestStepWasReached) {
  TestUpdate update;
  std::vector<float> values = BellValues(4, 2048, 1e-12f);
  values[1000] = 1e12f;
  update.Add({2048}, values);
  UpdateReport report;
  const auto bytes = EncodeUpdate(update.Tensors(), 8 * 2048, &report);
  EXPECT_TRUE(report.finest);
  EXPECT_NEAR((*Decode(*bytes, update.shapes))[0][1000] / 1e12f, 1, 1e-6);
}

}  // namespace
}  // namespace thinwire
