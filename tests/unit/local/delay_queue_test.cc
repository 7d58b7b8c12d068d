#include "deploy/local/delay_queue.h"

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(DelayQueueTest, BytesLeaveInOrderAndNotBeforeTheirTime) {
  DelayQueue queue;
  queue.Append("abc", absl::Seconds(2));
  queue.Append("de", absl::Seconds(3));
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_EQ(queue.Front(absl::Seconds(1)), "");
  EXPECT_EQ(queue.NextReady(), absl::Seconds(2));
  EXPECT_EQ(queue.Front(absl::Seconds(2)), "abc");
  queue.Consume(3);
  EXPECT_EQ(queue.Front(absl::Seconds(2)), "");
  EXPECT_EQ(queue.Front(absl::Seconds(3)), "de");
}

TEST(DelayQueueTest, APieceMayLeaveInParts) {
  DelayQueue queue;
  queue.Append("abc", absl::ZeroDuration());
  queue.Consume(1);
  EXPECT_EQ(queue.Front(absl::ZeroDuration()), "bc");
  EXPECT_EQ(queue.size(), 2u);
  queue.Consume(2);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.NextReady(), std::nullopt);
}

TEST(DelayQueueTest, APieceThatIsReadyWaitsBehindOneThatIsNot) {
  DelayQueue queue;
  queue.Append("slow", absl::Seconds(5));
  queue.Append("fast", absl::Seconds(1));
  EXPECT_EQ(queue.Front(absl::Seconds(2)), "");
}

}  // namespace
}  // namespace thinwire
