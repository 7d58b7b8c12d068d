#include "common/entropy/adaptive_bit.h"

#include "common/base/rng.h"
#include "common/entropy/mixer.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(AdaptiveBit, LearnsTheShareOfOnes) {
  AdaptiveBit bit;
  RandomStream random(1);
  for (int i = 0; i < 10000; ++i) bit.Update(random.NextDouble() < 0.1, kMaxCount);
  EXPECT_NEAR(bit.p() / 65536.0, 0.1, 0.02);
}

TEST(AdaptiveBit, IsNeverCertain) {
  for (const bool value : {false, true}) {
    AdaptiveBit bit;
    for (int i = 0; i < 100000; ++i) bit.Update(value, 30);
    EXPECT_GE(bit.p(), 1);
    EXPECT_LE(bit.p(), kProbabilityOne - 1);
  }
}

TEST(AdaptiveBit, APriorGivesWayToWhatIsSeen) {
  AdaptiveBit weak(60000, 1), strong(60000, 100);
  for (int i = 0; i < 10; ++i) {
    weak.Update(false, kMaxCount);
    strong.Update(false, kMaxCount);
  }
  EXPECT_LT(weak.p(), 10000);
  EXPECT_GT(strong.p(), 50000);
}

TEST(AdaptiveBit, SeveralAtATimeLearnAsEachAlone) {
  RandomStream random(3);
  for (uint32_t i = 0; i < 200000; ++i) {
    Lanes<uint32_t, 8> states = {0};
    AdaptiveBit alone[8];
    const bool bit = random.NextDouble() < 0.5;
    const uint32_t limit = i % 3 == 0 ? kMaxCount : 255;
    for (uint32_t k = 0; k < 8; ++k) {
      const uint32_t p = k == 0 ? 0 : k == 1 ? 0x3fffff : static_cast<uint32_t>(random.Below(1 << 22));
      alone[k].set_state(p << 10 | (i + 128 * k) % (limit + 1));  // all counts
      states[static_cast<int>(k)] = alone[k].state();
      alone[k].Update(bit, limit);
    }
    AdaptiveBit::UpdateStates<8>(&states, bit, limit);
    for (int k = 0; k < 8; ++k) ASSERT_EQ(states[k], alone[k].state()) << i << " " << k;
  }
}

TEST(Mixer, TrustsTheInputThatIsRight) {
  Mixer<2> mixer;
  RandomStream random(2);
  double cost = 0;
  for (int i = 0; i < 5000; ++i) {
    const bool bit = random.NextDouble() < 0.5;
    const Mixer<2>::LogOdds inputs = {bit ? 1000 : -1000, random.NextDouble() < 0.5 ? 1000 : -1000};
    const int p = mixer.Mix(Logistic(), inputs);
    if (i >= 4000) cost += CostInBits(Logistic(), bit ? p : kProbabilityOne - p);
    mixer.Update(inputs, p, bit, 4);
  }
  EXPECT_LT(cost / 1000, 0.02);
}

TEST(Mixer, SurvivesInputsThatAlwaysLie) {
  Mixer<2> mixer;
  for (int i = 0; i < 200000; ++i) {
    const bool bit = i % 3 == 0;
    const Mixer<2>::LogOdds inputs = {bit ? -kMaxLogOdds : kMaxLogOdds, kMaxLogOdds};
    const int p = mixer.Mix(Logistic(), inputs);
    ASSERT_GE(p, 1);
    ASSERT_LT(p, kProbabilityOne);
    mixer.Update(inputs, p, bit, 8);
  }
}

}  // namespace
}  // namespace thinwire
