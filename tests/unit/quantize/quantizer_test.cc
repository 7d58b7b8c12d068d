// What all quantisers have in common: budgets, odd tensors, odd values.
#include "common/quantize/quantizer.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(QuantizerTest, NamesDiffer) {
  std::set<std::string> names;
  for (const QuantizerSpec& spec : AllQuantizers()) EXPECT_TRUE(names.insert(spec.Name()).second) << spec.Name();
  EXPECT_EQ(QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 2, 3).Name(), "top-k gennorm M=2 R=3");
}

TEST(QuantizerTest, NoStringIsLongerThanItsBudget) {
  RandomStream random(11);
  int encoded = 0;
  for (uint64_t trial = 0; trial < 60; ++trial) {
    std::vector<size_t> sizes;
    for (uint64_t i = 0; i <= random.Below(4); ++i) sizes.push_back(random.Below(800));
    const Tensors update = RandomUpdate(trial, sizes, 0.3 + random.NextDouble() * 2);
    QuantizeOptions options;
    options.budget_bits = 50 + random.Below(6 * CountValues(View(update)) + 1000);
    options.seed = trial;
    for (const QuantizerSpec& spec : AllQuantizers()) {
      const absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, View(update), options);
      if (!bytes.ok()) {
        EXPECT_THAT(bytes, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too small")));
        continue;
      }
      ++encoded;
      EXPECT_LE(8 * bytes->size(), options.budget_bits) << spec.Name();
      EXPECT_THAT(Decode(*bytes, update), IsOk()) << spec.Name();
    }
  }
  EXPECT_GT(encoded, 500);
}

TEST(QuantizerTest, OddTensorsComeBack) {
  const float denormal = std::numeric_limits<float>::denorm_min();
  const std::vector<Tensors> updates = {{},
                                        {{}},
                                        {{}, {}, {}},
                                        {{0}},
                                        {{0, 0, 0}, {0}},
                                        {{-1.5f}},
                                        {{}, {2.5f}, {}},
                                        {{1, 1, 1, 1}, {1}},
                                        {{-0.25f, -0.25f, -0.25f}},
                                        {{denormal, -denormal, 5 * denormal}},
                                        {std::vector<float>(100, 1e-41f)},
                                        {{1e-38f, 1e28f}, {-1e28f}},
                                        {std::vector<float>(300, 7e28f)}};
  for (const Tensors& update : updates) {
    for (const QuantizerSpec& spec : AllQuantizers()) {
      const Tensors decoded = RoundTrip(spec, update);
      for (const auto& tensor : decoded) {
        for (const float x : tensor) EXPECT_TRUE(std::isfinite(x)) << spec.Name();
      }
      if (spec.method == QuantizerMethod::kTopK && Error(update, update) == 0) {
        EXPECT_LE(Error(update, decoded), 1.01) << spec.Name();
      }
    }
  }
}

TEST(QuantizerTest, UpdatesOfZerosDecodeToZeros) {
  const Tensors zeros = {std::vector<float>(1000), {0, -0.0f}};
  for (const QuantizerSpec& spec : AllQuantizers()) EXPECT_EQ(RoundTrip(spec, zeros), zeros) << spec.Name();
}

TEST(QuantizerTest, ConstantTensorsAreNearlyExactWhereLevelsFit) {
  const Tensors update = {std::vector<float>(500, 0.003f), std::vector<float>(20, -0.003f)};
  for (const QuantizerSpec& spec : AllQuantizers()) {
    if (spec.method != QuantizerMethod::kTopK || spec.values.coding == ValueCoding::kFloat) continue;
    EXPECT_LT(Error(update, RoundTrip(spec, update)), 1e-4) << spec.Name();
  }
}

TEST(QuantizerTest, ValuesThatAreNoNumbersAreRefusedByPlace) {
  for (const QuantizerSpec& spec : AllQuantizers()) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 1e30f}) {
      const Tensors update = {{1, 2}, {3, bad, 4}};
      EXPECT_THAT(QuantizeUpdate(spec, View(update), {}),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("value 1 of tensor 1")));
    }
  }
}

TEST(QuantizerTest, SpecsOutsideTheirLimitsAreRefused) {
  const Tensors update = {{1, 2}};
  for (const double m : {-0.5, 17.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(QuantizeUpdate(QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, m, 2), View(update), {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("M is")));
  }
  EXPECT_THAT(QuantizeUpdate(QuantizerSpec::Uniform(9), View(update), {}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  QuantizerSpec spec;
  spec.method = static_cast<QuantizerMethod>(5);
  EXPECT_THAT(QuantizeUpdate(spec, View(update), {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5")));
}

TEST(QuantizerTest, SignsAndTheirScaleByHand) {
  const Tensors update = {{1, -3, 2}, {-0.5f}};
  EXPECT_EQ(RoundTrip(QuantizerSpec::Sign(), update), (Tensors{{2, -2, 2}, {-0.5f}}));
}

TEST(QuantizerTest, TheFittedScaleOfSignsIsContractive) {
  const Tensors update = RandomUpdate(1, {100, 3}, 0.3);
  EXPECT_LT(Error(update, RoundTrip(QuantizerSpec::Sign(), update)), 1);
}

TEST(QuantizerTest, RelativeDistortionByHand) {
  const Tensors update = {{2, 0}, {-1}};
  const Tensors decoded = {{1, 1}, {-1}};
  EXPECT_DOUBLE_EQ(Error(update, decoded, 0), 2.0 / 5);
  EXPECT_DOUBLE_EQ(Error(update, decoded, 1), 2.0 / 9);  // |2| 1 over |2|^3 + |1|^3
  EXPECT_DOUBLE_EQ(Error(update, decoded, 2), 4.0 / 17);
  EXPECT_EQ(Error({{0}}, {{0}}), 0);
  EXPECT_EQ(Error({{0}}, {{1}}), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace thinwire
