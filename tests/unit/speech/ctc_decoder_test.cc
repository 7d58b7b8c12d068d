#include "client/speech/ctc_decoder.h"

#include <cmath>
#include <map>

#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<float> Logs(const std::vector<double>& probabilities) {
  std::vector<float> logs;
  for (const double p : probabilities) logs.push_back(static_cast<float>(std::log(p)));
  return logs;
}

std::vector<double> RandomFrames(size_t frames, size_t labels, uint64_t seed) {
  RandomStream random(seed);
  std::vector<double> values;
  for (size_t t = 0; t < frames; ++t) {
    double sum = 0;
    for (size_t k = 0; k < labels; ++k) sum += values.emplace_back(random.NextDouble() + 0.01);
    for (size_t k = 0; k < labels; ++k) values[t * labels + k] /= sum;
  }
  return values;
}

// What CTC means, by enumeration: the probability of each labelling, summed over all paths.
std::map<std::vector<int64_t>, double> Posterior(const std::vector<double>& p, size_t frames, size_t labels) {
  std::map<std::vector<int64_t>, double> posterior;
  const auto paths = static_cast<size_t>(std::pow(labels, frames));
  for (size_t path = 0; path < paths; ++path) {
    double probability = 1;
    std::vector<int64_t> labelling;
    int64_t last = 0;
    for (size_t t = 0, rest = path; t < frames; ++t, rest /= labels) {
      const auto label = static_cast<int64_t>(rest % labels);
      probability *= p[t * labels + static_cast<size_t>(label)];
      if (label != 0 && label != last) labelling.push_back(label);
      last = label;
    }
    posterior[labelling] += probability;
  }
  return posterior;
}

TEST(DecodeGreedy, RemovesRepeatsAndBlanks) {
  const auto scores = Logs({.1, .8, .1, .1, .8, .1, .8, .1, .1, .1, .8, .1, .1, .1, .8, .8, .1, .1});
  EXPECT_THAT(DecodeGreedy({scores, 3}), ElementsAre(1, 1, 2));
}

TEST(DecodeGreedy, OfEqualsTakesTheLowest) {
  EXPECT_THAT(DecodeGreedy({Logs({.2, .4, .4}), 3}), ElementsAre(1));
  EXPECT_THAT(DecodeGreedy({Logs({.4, .4, .2}), 3}), IsEmpty());
}

TEST(Decoders, NoFramesAreNoLabels) {
  EXPECT_THAT(DecodeGreedy({{}, 3}), IsEmpty());
  const auto best = DecodeBeam({{}, 3}, 4);
  ASSERT_EQ(best.size(), 1u);
  EXPECT_THAT(best[0].labels, IsEmpty());
}

TEST(DecodeBeam, FindsWhatGreedyMisses) {
  // The best path is blank, blank (0.36); label 1 has three paths: 0.4 * 0.4 + 2 * 0.4 * 0.6 = 0.64.
  const auto scores = Logs({.6, .4, .6, .4});
  EXPECT_THAT(DecodeGreedy({scores, 2}), IsEmpty());
  const auto best = DecodeBeam({scores, 2}, 8);
  ASSERT_EQ(best.size(), 2u);
  EXPECT_THAT(best[0].labels, ElementsAre(1));
  EXPECT_NEAR(std::exp(best[0].log_probability), 0.64, 1e-6);
  EXPECT_NEAR(std::exp(best[1].log_probability), 0.36, 1e-6);
}

TEST(DecodeBeam, WithRoomForAllPrefixesIsThePosterior) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const size_t frames = 5, labels = 3;
    const std::vector<double> p = RandomFrames(frames, labels, seed);
    const auto posterior = Posterior(p, frames, labels);
    const auto all = DecodeBeam({Logs(p), labels}, 10'000);
    double last = 1, sum = 0;
    for (const Hypothesis& each : all) {
      ASSERT_EQ(posterior.count(each.labels), 1u);
      const double expected = posterior.at(each.labels);
      EXPECT_NEAR(std::exp(each.log_probability), expected, 1e-6);
      EXPECT_LE(each.log_probability, last);
      last = each.log_probability;
      sum += expected;
    }
    EXPECT_EQ(all.size(), posterior.size());
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(DecodeBeam, ABeamOfOneStillSumsOverAlignments) {
  const auto best = DecodeBeam({Logs({.1, .9, .1, .9}), 2}, 1);
  ASSERT_EQ(best.size(), 1u);
  EXPECT_THAT(best[0].labels, ElementsAre(1));
  EXPECT_NEAR(std::exp(best[0].log_probability), 0.9, 1e-6);  // 1 then blank (0.09) and 1 1 (0.81)
}

}  // namespace
}  // namespace thinwire
