#include "server/round/late_updates.h"

#include "gtest/gtest.h"

namespace thinwire {
namespace {

const Settle kSettle = {"r1-a", AssignmentState::kDiscarded, "enough updates", false};

TEST(LateUpdatesTest, AnUpdateThatComesLateIsSettledOnceAsItsAssignmentWas) {
  LateUpdates late;
  late.Remember(kSettle);
  const auto settle = late.Take("r1-a");
  ASSERT_TRUE(settle.has_value());
  EXPECT_EQ(settle->reason, "enough updates");
  EXPECT_TRUE(settle->received);
  EXPECT_FALSE(late.Take("r1-a").has_value());
}

TEST(LateUpdatesTest, ASettlementThatTookTheUpdateAlongIsNotRepeated) {
  LateUpdates late;
  Settle with_update = kSettle;
  with_update.received = true;
  late.Remember(with_update);
  EXPECT_FALSE(late.Take("r1-a").has_value());
}

TEST(LateUpdatesTest, MemoryReachesOneRoundBack) {
  LateUpdates late;
  late.Remember(kSettle);
  late.NextRound();
  EXPECT_TRUE(late.Take("r1-a").has_value());
  late.Remember(kSettle);
  late.NextRound();
  late.NextRound();
  EXPECT_FALSE(late.Take("r1-a").has_value());
}

}  // namespace
}  // namespace thinwire
