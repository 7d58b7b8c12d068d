// M22 and what shares its way of keeping entries; the traps of the papers' public code.
#include "common/quantize/top_k_quantizer.h"

#include <cmath>
#include <string>
#include <vector>

#include "common/quantize/table_fit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kNormal = DensityFamily::kGeneralisedNormal;
constexpr auto kWeibull = DensityFamily::kDoubleWeibull;

QuantizeOptions Keep(uint64_t kept) {
  QuantizeOptions options;
  options.max_kept = kept;
  return options;
}

TEST(TopKQuantizerTest, EqualMagnitudesDecodeToThemselves) {
  const Tensors update = {{0.5f, 0.1f, -0.5f, 0}, {0.5f}};
  const Tensors decoded = RoundTrip(QuantizerSpec::Lloyd(kNormal, 2, 1), update, Keep(3));
  EXPECT_THAT(decoded, ElementsAre(ElementsAre(0.5f, 0, -0.5f, 0), ElementsAre(0.5f)));
}

TEST(TopKQuantizerTest, UniformByHand) {
  const Tensors update = {{1, -1.5f, 3, 2.2f, 0.25f, -0.125f}};
  // Four are kept, on [1, 3]; two magnitudes: 1.5 and 2.5.
  const Tensors decoded = RoundTrip(QuantizerSpec::Uniform(2), update, Keep(4));
  EXPECT_THAT(decoded[0], ElementsAre(1.5f, -1.5f, 2.5f, 2.5f, 0, 0));
}

TEST(TopKQuantizerTest, Fp4ByHand) {
  const Tensors update = {{6, -2.4f, 0.3f, 0.2f, 1.2f, 5.1f}};
  const Tensors decoded = RoundTrip(QuantizerSpec::Float(2, 1), update);
  EXPECT_THAT(decoded[0], ElementsAre(6, -2, 0.5f, 0, 1, 6));
}

// The bytes of an update of zeros are the smallest there are; a budget below them is refused, and says so.
TEST(TopKQuantizerTest, TheEmptyUpdateIsSevenBytes) {
  const Tensors update = {{0.5f, 0.25f}};
  QuantizeOptions options;
  options.budget_bits = 56;
  ASSERT_OK_AND_ASSIGN(const std::string bytes, QuantizeUpdate(QuantizerSpec::TinyScript(2), View(update), options));
  EXPECT_EQ(bytes, std::string("\x01\x01\x01\x02\x01\x02\x00", 7));
  EXPECT_THAT(Decode(bytes, update), IsOkAndHolds(Tensors{{0, 0}}));
  options.budget_bits = 55;
  EXPECT_THAT(QuantizeUpdate(QuantizerSpec::TinyScript(2), View(update), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 56")));
}

TEST(TopKQuantizerTest, KeptEntriesKeepTheirSignAndOthersAreZero) {
  const Tensors update = RandomUpdate(1, {3000, 40, 1000});
  const Tensors decoded = RoundTrip(QuantizerSpec::Lloyd(kWeibull, 1, 3), update, Keep(700));
  uint64_t kept = 0;
  for (size_t t = 0; t < update.size(); ++t) {
    for (size_t i = 0; i < update[t].size(); ++i) {
      if (decoded[t][i] == 0) continue;
      ++kept;
      EXPECT_GT(decoded[t][i] * update[t][i], 0) << t << " " << i;
    }
  }
  EXPECT_EQ(kept, 700u);
}

// With levels fitted to the right density, no other level that could be sent is much better: the weighted distortion is
// near that of levels iterated on the data themselves.
double DistortionOfDataLloyd(const std::vector<float>& values, double m, int count) {
  std::vector<double> magnitudes;
  for (const float x : values) magnitudes.push_back(std::fabs(x));
  std::sort(magnitudes.begin(), magnitudes.end());
  std::vector<double> levels;
  for (int j = 0; j < count; ++j) levels.push_back(magnitudes[magnitudes.size() * (2 * j + 1) / (2 * count)]);
  double distortion = 0;
  for (int iteration = 0; iteration < 500; ++iteration) {
    std::vector<double> mass(levels.size()), first(levels.size());
    distortion = 0;
    size_t j = 0;
    for (const double u : magnitudes) {
      while (j + 1 < levels.size() && std::fabs(levels[j + 1] - u) < std::fabs(levels[j] - u)) ++j;
      const double weight = std::pow(u, m);
      mass[j] += weight;
      first[j] += weight * u;
      distortion += weight * (u - levels[j]) * (u - levels[j]);
    }
    for (j = 0; j < levels.size(); ++j) levels[j] = mass[j] > 0 ? first[j] / mass[j] : levels[j];
  }
  return distortion;
}

TEST(TopKQuantizerTest, FittedLevelsAreNearlyAsGoodAsLevelsOfTheData) {
  for (const double m : {0.0, 2.0}) {
    const Tensors update = RandomUpdate(7, {60000}, 0.7);
    const Tensors decoded = RoundTrip(QuantizerSpec::Lloyd(kNormal, m, 3), update, Keep(9000));
    std::vector<float> kept;
    double distortion = 0;
    for (size_t i = 0; i < update[0].size(); ++i) {
      if (decoded[0][i] == 0) continue;
      kept.push_back(update[0][i]);
      distortion += std::pow(std::fabs(update[0][i]), m) * std::pow(update[0][i] - decoded[0][i], 2);
    }
    EXPECT_LT(distortion, 1.05 * DistortionOfDataLloyd(kept, m, 4)) << m;
  }
}

TEST(TopKQuantizerTest, EachMIsBestAtItsOwnDistortion) {
  const Tensors update = RandomUpdate(8, {80000}, 0.5);
  std::vector<Tensors> decoded;
  const std::vector<double> exponents = {0, 1, 2, 4};
  for (const double m : exponents)
    decoded.push_back(RoundTrip(QuantizerSpec::Lloyd(kNormal, m, 2), update, Keep(8000)));
  for (size_t judge = 0; judge < 4; ++judge) {
    for (size_t other = 0; other < 4; ++other) {
      if (other == judge) continue;
      EXPECT_LT(Error(update, decoded[judge], exponents[judge]), Error(update, decoded[other], exponents[judge]))
          << "M " << exponents[judge] << " against " << exponents[other];
    }
  }
}

// Trap: one model and optimiser served all clients, so that state of one leaked into the next.
TEST(TopKQuantizerTest, NothingIsKeptBetweenCalls) {
  const Tensors a = RandomUpdate(1, {5000, 300});
  const Tensors b = RandomUpdate(2, {5000, 300}, 1.5);
  for (const QuantizerSpec& spec : AllQuantizers()) {
    QuantizeOptions options;
    options.budget_bits = 30000;
    ASSERT_OK_AND_ASSIGN(const std::string first, QuantizeUpdate(spec, View(a), options));
    ASSERT_THAT(QuantizeUpdate(spec, View(b), options), IsOk());
    EXPECT_THAT(QuantizeUpdate(spec, View(a), options), IsOkAndHolds(first)) << spec.Name();
  }
}

// Trap: x^M without the magnitude weights negative entries with a negative number for odd M.
TEST(TopKQuantizerTest, SignsAreSymmetricForOddM) {
  const Tensors update = RandomUpdate(4, {20000});
  Tensors negated = update;
  for (float& x : negated[0]) x = -x;
  for (const double m : {1.0, 3.0}) {
    const Tensors decoded = RoundTrip(QuantizerSpec::Lloyd(kNormal, m, 2), update, Keep(2000));
    Tensors mirrored = RoundTrip(QuantizerSpec::Lloyd(kNormal, m, 2), negated, Keep(2000));
    for (float& x : mirrored[0]) x = x == 0 ? 0 : -x;
    EXPECT_EQ(decoded, mirrored);
  }
}

// Traps: a constant in a denominator that matters for small values, and codebooks cached with another tensor's scale.
TEST(TopKQuantizerTest, EveryTensorHasLevelsOfItsOwnScale) {
  const Tensors one = RandomUpdate(5, {4000});
  Tensors both = {one[0], one[0]};
  for (float& x : both[1]) x *= 0x1p-60f;
  for (const QuantizerSpec& spec : {QuantizerSpec::Lloyd(kNormal, 0, 3), QuantizerSpec::Lloyd(kWeibull, 3, 3),
                                    QuantizerSpec::Uniform(3), QuantizerSpec::Float(5, 2)}) {
    const Tensors decoded = RoundTrip(spec, both);  // all entries
    ASSERT_GT(decoded[0][0] * one[0][0], 0);
    for (size_t i = 0; i < one[0].size(); ++i) ASSERT_EQ(decoded[1][i], decoded[0][i] * 0x1p-60f) << spec.Name();
  }
}

// Trap: with error feedback the public code quantised the update without the memory, counted the memory twice and lost
// what the top-K dropped. What was sent and what is left must add up to what came in.
TEST(TopKQuantizerTest, ErrorFeedbackSendsEverythingInTheEnd) {
  const QuantizerSpec spec = QuantizerSpec::Lloyd(kNormal, 0, 2);
  const Tensors gradient = RandomUpdate(6, {2000}, 0.8);
  std::vector<double> sent(2000);
  Tensors residual = {std::vector<float>(2000)};
  double largest = 0;
  const int rounds = 200;
  for (int round = 0; round < rounds; ++round) {
    Tensors input = residual;
    for (size_t i = 0; i < 2000; ++i) input[0][i] += gradient[0][i];
    const Tensors decoded = RoundTrip(spec, input, Keep(200));
    for (size_t i = 0; i < 2000; ++i) {
      sent[i] += decoded[0][i];
      residual[0][i] = input[0][i] - decoded[0][i];
      largest = std::max(largest, std::fabs(double{residual[0][i]}));
    }
  }
  double error = 0, energy = 0;
  for (size_t i = 0; i < 2000; ++i) {
    EXPECT_NEAR(sent[i] + residual[0][i], rounds * double{gradient[0][i]}, 1e-4);
    error += std::pow(sent[i] / rounds - gradient[0][i], 2);
    energy += std::pow(gradient[0][i], 2);
  }
  EXPECT_LT(error, 0.01 * energy);  // a residual that grew would show here
}

TEST(TopKQuantizerTest, AtMZeroItIsContractiveWhateverTheDataAre) {
  std::vector<Tensors> updates = {{{1e-3f, 1, 1, 1, 1, 1}}, {std::vector<float>(100, 1e-20f)}, {{5}}};
  std::vector<float> two_points(1000, 0.01f);
  for (size_t i = 0; i < 20; ++i) two_points[i * 50] = -1;
  updates.push_back({two_points});
  std::vector<float> powers;
  for (int i = 0; i < 200; ++i) powers.push_back(std::scalbn(i % 2 == 0 ? 1.0f : -1.0f, -i / 3));
  updates.push_back({powers});
  for (uint64_t seed = 0; seed < 8; ++seed)
    updates.push_back(RandomUpdate(seed, {300, 20}, 0.2 + 0.2 * static_cast<double>(seed)));
  for (const Tensors& update : updates) {
    for (const DensityFamily family : {kNormal, kWeibull}) {
      for (const int bits : {1, 2, 4}) {
        for (const uint64_t kept : {1, 5, 100, 1000}) {
          const Tensors decoded = RoundTrip(QuantizerSpec::Lloyd(family, 0, bits), update, Keep(kept));
          // (sum |x|)^2 >= sum x^2, so something is gained even where one level stands for all.
          const double count = static_cast<double>(CountValues(View(update)));
          EXPECT_LE(Error(update, decoded), 1 - 0.9 / count) << bits << " bits, " << kept << " kept";
        }
      }
    }
  }
}

TEST(TopKQuantizerTest, WithoutTheGainAWrongDensityCanExpand) {
  // What the gain is for: 20 large entries among 1000 small ones, one level for all.
  std::vector<float> values(1000, 0.01f);
  for (size_t i = 0; i < 20; ++i) values[i * 50] = -1;
  QuantizerSpec spec = QuantizerSpec::Lloyd(kNormal, 4, 1);
  EXPECT_GT(Error({values}, RoundTrip(spec, {values})), 1);  // M > 0 overshoots: never with error feedback
  spec.weight_exponent = 0;
  EXPECT_LT(Error({values}, RoundTrip(spec, {values})), 1);
}

TEST(TopKQuantizerTest, WhatABudgetBuysIsSpent) {
  const Tensors update = RandomUpdate(9, {20000, 100, 3000, 1});
  for (const QuantizerSpec& spec : {QuantizerSpec::Lloyd(kNormal, 0, 1), QuantizerSpec::Lloyd(kNormal, 1, 4),
                                    QuantizerSpec::Uniform(2), QuantizerSpec::Float(5, 2)}) {
    for (const double rate : {0.02, 0.1, 0.5, 1.0, 2.0}) {
      QuantizeOptions options;
      options.budget_bits = static_cast<uint64_t>(rate * 23101);
      ASSERT_OK_AND_ASSIGN(const std::string bytes, QuantizeUpdate(spec, View(update), options));
      EXPECT_LE(bytes.size() * 8, options.budget_bits);
      const double left = static_cast<double>(options.budget_bits) - 8.0 * static_cast<double>(bytes.size());
      EXPECT_LE(left, std::max(256.0, 0.005 * static_cast<double>(options.budget_bits))) << spec.Name() << " " << rate;
    }
  }
}

}  // namespace
}  // namespace thinwire
