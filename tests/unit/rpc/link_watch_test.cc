// What watches a link: its rate, and whether anything moves on it.
#include "client/rpc/chunk_sizer.h"
#include "client/rpc/progress_watchdog.h"
#include "gtest/gtest.h"
#include "tests/unit/rpc/scripted_server.h"

namespace thinwire {
namespace {

// Sends `bytes` in chunks of `chunk` over a link of `rate` bytes a second whose first 64 KiB go into buffers at once.
void Send(ChunkSizer* sizer, uint64_t bytes, size_t chunk, double rate) {
  Monotonic now;
  sizer->BeginStream(now);
  for (uint64_t sent = 0; sent < bytes; sent += chunk) {
    if (sent >= ChunkSizer::kBuffered) now += absl::Seconds(static_cast<double>(chunk) / rate);
    sizer->Transferred(chunk, now);
  }
}

TEST(ChunkSizerTest, BeginsWithItsFirstSize) { EXPECT_EQ(ChunkSizer(16 * 1024).Next(), 16u * 1024); }

TEST(ChunkSizerTest, AChunkHoldsAQuarterSecondOfTheLink) {
  ChunkSizer sizer(16 * 1024);
  Send(&sizer, 2 << 20, 16 * 1024, 100'000);
  EXPECT_NEAR(static_cast<double>(sizer.Next()), 25'000, 100);
}

TEST(ChunkSizerTest, IsNotFooledByBuffersThatFillAtOnce) {
  ChunkSizer sizer(16 * 1024);
  Send(&sizer, 96 * 1024, 16 * 1024, 20'000);
  EXPECT_LE(sizer.Next(), 6'000u);
}

TEST(ChunkSizerTest, IsNotFooledByABacklogThatIsReadAtOnce) {
  ChunkSizer sizer(16 * 1024);
  Monotonic now;
  sizer.BeginStream(now);
  for (int i = 0; i < 40; ++i) sizer.Transferred(8000, now += absl::Milliseconds(250));
  sizer.Transferred(8000, now += absl::Seconds(2));  // the process slept
  for (int i = 0; i < 8; ++i) sizer.Transferred(8000, now);
  for (int i = 0; i < 4; ++i) sizer.Transferred(8000, now += absl::Milliseconds(250));
  EXPECT_LE(sizer.Next(), 16'000u);
}

TEST(ChunkSizerTest, StaysBetweenFourKilobytesAndTheLimits) {
  ChunkSizer slow(16 * 1024), fast(16 * 1024);
  Send(&slow, 256 * 1024, 16 * 1024, 100);
  EXPECT_EQ(slow.Next(), ChunkSizer::kSmallest);
  Send(&fast, 8 << 20, 16 * 1024, 1e9);
  EXPECT_EQ(fast.Next(), ChunkSizer::kLargest);
  fast.SetLimit(10'000);
  EXPECT_EQ(fast.Next(), 10'000u);
  fast.SetLimit(1);
  EXPECT_EQ(fast.Next(), ChunkSizer::kSmallest);
}

TEST(ChunkSizerTest, FollowsALinkThatSlowsDown) {
  ChunkSizer sizer(16 * 1024);
  Send(&sizer, 8 << 20, 16 * 1024, 1e9);
  Send(&sizer, 8 << 20, 16 * 1024, 100'000);
  EXPECT_NEAR(static_cast<double>(sizer.Next()), 25'000, 1000);
}

TEST(ChunkSizerTest, AStallQuartersTheSize) {
  ChunkSizer sizer(64 * 1024);
  sizer.Stalled();
  EXPECT_EQ(sizer.Next(), 16u * 1024);
  sizer.Stalled();
  sizer.Stalled();
  EXPECT_EQ(sizer.Next(), ChunkSizer::kSmallest);
}

TEST(ProgressWatchdogTest, BarksOnceWhenNothingHappens) {
  Gate barked;
  ProgressWatchdog watchdog(absl::Milliseconds(5), [&] { barked.Open(); });
  barked.Wait();
  EXPECT_TRUE(watchdog.stalled());
}

TEST(ProgressWatchdogTest, IsQuietWhenItsStreamEndsInTime) {
  bool barked = false;
  {
    ProgressWatchdog watchdog(absl::Hours(1), [&] { barked = true; });
    watchdog.Feed();
    EXPECT_FALSE(watchdog.stalled());
  }
  EXPECT_FALSE(barked);
}

TEST(ProgressWatchdogTest, CanBeGivenAnotherLimitOnTheWay) {
  Gate barked;
  ProgressWatchdog watchdog(absl::Hours(1), [&] { barked.Open(); });
  watchdog.FeedFor(absl::Milliseconds(5));
  barked.Wait();
  EXPECT_TRUE(watchdog.stalled());
}

}  // namespace
}  // namespace thinwire
