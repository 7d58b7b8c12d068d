#include "common/base/token_bucket.h"

#include <limits>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(TokenBucketTest, WithoutARateEverythingPasses) {
  TokenBucket bucket;
  EXPECT_EQ(bucket.Available(absl::Seconds(1)), std::numeric_limits<uint64_t>::max());
  bucket.Spend(1 << 30);
  EXPECT_EQ(bucket.Available(absl::Seconds(1)), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(bucket.Refill(), absl::ZeroDuration());
}

TEST(TokenBucketTest, OverALongTimeTheRateIsKept) {
  TokenBucket bucket;
  Monotonic now = absl::Seconds(10);
  bucket.SetRate(100'000, now);
  uint64_t passed = 0;
  for (int step = 0; step < 1000; ++step) {
    const uint64_t available = bucket.Available(now);
    bucket.Spend(available);
    passed += available;
    now += absl::Milliseconds(10);
  }
  // 9.99 s at 100,000 bytes a second, and the 5,000 bytes that were in the bucket at the start.
  EXPECT_NEAR(static_cast<double>(passed), 999'000 + 5'000, 2);
}

TEST(TokenBucketTest, APauseSavesNoMoreThanABucketful) {
  TokenBucket bucket;
  bucket.SetRate(100'000, absl::ZeroDuration());
  EXPECT_EQ(bucket.Available(absl::Hours(1)), 5'000u);
}

TEST(TokenBucketTest, RefillIsTheTimeToAQuarterBucket) {
  TokenBucket bucket;
  bucket.SetRate(100'000, absl::ZeroDuration());
  bucket.Spend(bucket.Available(absl::ZeroDuration()));
  EXPECT_EQ(bucket.Refill(), absl::Milliseconds(12.5));
  EXPECT_EQ(bucket.Available(absl::Milliseconds(12.5)), 1'250u);
  EXPECT_EQ(bucket.Refill(), absl::ZeroDuration());
}

TEST(TokenBucketTest, EvenASlowLinkLetsAWholePacketPass) {
  TokenBucket bucket;
  bucket.SetRate(100, absl::ZeroDuration());
  EXPECT_EQ(bucket.Available(absl::ZeroDuration()), 1'500u);
}

}  // namespace
}  // namespace thinwire
