#include "server/round/waiting_room.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::ElementsAre;

bool Anybody(const std::string&) { return true; }

TEST(WaitingRoomTest, ListsByNameAndByArrival) {
  WaitingRoom room;
  for (const char* client : {"c", "a", "b", "c"}) room.Enter(client, Role::kTrainer);
  EXPECT_THAT(room.Waiting(Role::kTrainer), ElementsAre("a", "b", "c"));
  EXPECT_THAT(room.WaitingByArrival(Role::kTrainer), ElementsAre("c", "a", "b"));
  EXPECT_EQ(room.waiting(Role::kTrainer), 3u);
  EXPECT_EQ(room.waiting(Role::kEvaluator), 0u);
}

TEST(WaitingRoomTest, OneThatLeavesStaysKnownUntilItIsForgotten) {
  WaitingRoom room;
  room.Enter("a", Role::kTrainer);
  room.Leave("a");
  room.Leave("a");
  EXPECT_FALSE(room.IsWaiting("a"));
  EXPECT_EQ(room.waiting(Role::kTrainer), 0u);
  EXPECT_TRUE(room.AnyKnown(Role::kTrainer, Anybody));
  room.Forget("a");
  EXPECT_FALSE(room.AnyKnown(Role::kTrainer, Anybody));
}

TEST(WaitingRoomTest, OneThatComesBackGoesToTheEnd) {
  WaitingRoom room;
  for (const char* client : {"a", "b"}) room.Enter(client, Role::kTrainer);
  room.Leave("a");
  room.Enter("a", Role::kTrainer);
  EXPECT_THAT(room.WaitingByArrival(Role::kTrainer), ElementsAre("b", "a"));
}

TEST(WaitingRoomTest, AChangedRoleIsCountedInTheNewOneOnly) {
  WaitingRoom room;
  room.Enter("a", Role::kTrainer);
  room.Enter("a", Role::kEvaluator);
  EXPECT_EQ(room.waiting(Role::kTrainer), 0u);
  EXPECT_EQ(room.waiting(Role::kEvaluator), 1u);
  EXPECT_FALSE(room.AnyKnown(Role::kTrainer, Anybody));
}

TEST(WaitingRoomTest, StrangersCanLeaveAndBeForgotten) {
  WaitingRoom room;
  room.Leave("nobody");
  room.Forget("nobody");
  EXPECT_EQ(room.waiting(Role::kTrainer), 0u);
}

}  // namespace
}  // namespace thinwire
