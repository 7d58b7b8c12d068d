#include "client/session/retry_policy.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(RetryPolicyTest, EveryDelayLiesInTheServersWindow) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    RetryPolicy policy(seed);
    policy.SetWindow({absl::Milliseconds(300), absl::Seconds(4)});
    for (int failure = 0; failure < 12; ++failure) {
      const absl::Duration delay = policy.NextDelay();
      EXPECT_GE(delay, absl::Milliseconds(300));
      EXPECT_LE(delay, absl::Seconds(4));
    }
  }
}

TEST(RetryPolicyTest, TheCeilingDoublesWithEachFailureInARow) {
  absl::Duration longest[4];
  for (uint64_t seed = 0; seed < 500; ++seed) {
    RetryPolicy policy(seed);
    policy.SetWindow({absl::Seconds(1), absl::Seconds(100)});
    for (absl::Duration& most : longest) most = std::max(most, policy.NextDelay());
  }
  for (int i = 0; i < 4; ++i) {
    const absl::Duration ceiling = absl::Seconds(2 << i);
    EXPECT_LE(longest[i], ceiling);
    EXPECT_GT(longest[i], absl::Seconds(1) + (ceiling - absl::Seconds(1)) * 0.9);
  }
}

TEST(RetryPolicyTest, SpreadsClientsOverTheWholeWindow) {
  int lower_half = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RetryPolicy policy(seed);
    policy.SetWindow({absl::Seconds(1), absl::Seconds(3)});
    policy.NextDelay();
    lower_half += policy.NextDelay() < absl::Seconds(2) ? 1 : 0;
  }
  EXPECT_NEAR(lower_half, 500, 80);
}

TEST(RetryPolicyTest, ASuccessStartsOver) {
  RetryPolicy policy(1);
  policy.SetWindow({absl::Seconds(1), absl::Seconds(100)});
  for (int i = 0; i < 8; ++i) policy.NextDelay();
  EXPECT_EQ(policy.failures(), 8u);
  policy.Reset();
  EXPECT_LE(policy.NextDelay(), absl::Seconds(2));
}

TEST(RetryPolicyTest, TheSameSeedGivesTheSameDelays) {
  RetryPolicy a(7), b(7), c(8);
  const absl::Duration first = a.NextDelay();
  EXPECT_EQ(first, b.NextDelay());
  EXPECT_NE(first, c.NextDelay());
}

TEST(RetryPolicyTest, AWindowThatMakesNoSenseIsCutToOneThatDoes) {
  RetryPolicy policy(1);
  policy.SetWindow({absl::ZeroDuration(), absl::ZeroDuration()});
  EXPECT_GE(policy.NextDelay(), RetryPolicy::kShortest);
  policy.SetWindow({absl::InfiniteDuration(), -absl::InfiniteDuration()});
  EXPECT_EQ(policy.NextDelay(), RetryPolicy::kLongest);
  policy.SetWindow({absl::Seconds(9), absl::Seconds(1)});
  EXPECT_EQ(policy.NextDelay(), absl::Seconds(9));
}

}  // namespace
}  // namespace thinwire
