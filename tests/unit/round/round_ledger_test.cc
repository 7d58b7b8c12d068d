#include "server/round/round_ledger.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::ElementsAre;

class RoundLedgerTest : public testing::Test {
 protected:
  RoundLedgerTest() {
    for (const char* client : {"a", "b", "c"}) ledger_.Invite(client);
  }
  ~RoundLedgerTest() override { EXPECT_EQ(ledger_.CheckInvariants(), absl::OkStatus()); }

  RoundLedger ledger_{7, 6};
};

TEST_F(RoundLedgerTest, AnInvitedClientTrainsFromTheBaseVersion) {
  const AssignmentRecord* const record = ledger_.Find("r7-a");
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->client, "a");
  EXPECT_EQ(record->round, 7u);
  EXPECT_EQ(record->version, 6u);
  EXPECT_EQ(record->kind, WorkKind::kTrain);
  EXPECT_EQ(ledger_.TrainingOf("a"), record);
  EXPECT_FALSE(ledger_.Has("d"));
}

TEST_F(RoundLedgerTest, FoldsStartInTheOrderOfReceiptUpToTheWantedNumber) {
  EXPECT_TRUE(ledger_.Receive("r7-c"));
  EXPECT_TRUE(ledger_.Receive("r7-a"));
  EXPECT_TRUE(ledger_.Receive("r7-b"));
  EXPECT_EQ(ledger_.StartFold(2), "r7-c");
  EXPECT_EQ(ledger_.StartFold(2), "r7-a");
  EXPECT_EQ(ledger_.StartFold(2), std::nullopt);
  EXPECT_EQ(ledger_.folds_under_way(), 2u);
  EXPECT_EQ(ledger_.updates(), 3u);
  EXPECT_FALSE(ledger_.FinishFold("r7-b")) << "its fold has not started";
  EXPECT_TRUE(ledger_.FinishFold("r7-a"));
  EXPECT_FALSE(ledger_.FinishFold("r7-a"));
  EXPECT_EQ(ledger_.StartFold(2), std::nullopt);
  EXPECT_THAT(ledger_.InState(AssignmentState::kFolded), ElementsAre("r7-a"));
}

TEST_F(RoundLedgerTest, ASettledUpdateIsNotFolded) {
  ledger_.Receive("r7-a");
  ledger_.Receive("r7-b");
  const auto settle = ledger_.End("r7-a", AssignmentState::kFailed, "why");
  ASSERT_TRUE(settle.has_value());
  EXPECT_TRUE(settle->received);
  EXPECT_EQ(ledger_.StartFold(9), "r7-b");
  EXPECT_EQ(ledger_.alive(), 2u);
}

TEST_F(RoundLedgerTest, AnAssignmentIsSettledOnce) {
  EXPECT_FALSE(ledger_.End("r7-a", AssignmentState::kDropped, "gone")->received);
  EXPECT_EQ(ledger_.End("r7-a", AssignmentState::kDiscarded, "again"), std::nullopt);
  EXPECT_EQ(ledger_.End("r7-z", AssignmentState::kDiscarded, "unknown"), std::nullopt);
  EXPECT_EQ(ledger_.Find("r7-a")->reason, "gone");
}

TEST_F(RoundLedgerTest, AnUpdateOfAGivenUpAssignmentIsReceivedButNotOneOfADiscardedOne) {
  ledger_.End("r7-a", AssignmentState::kDropped, "gone");
  ledger_.End("r7-b", AssignmentState::kFailed, "failed");
  ledger_.End("r7-c", AssignmentState::kDiscarded, "enough");
  EXPECT_TRUE(ledger_.Receive("r7-a"));
  EXPECT_TRUE(ledger_.Receive("r7-b"));
  EXPECT_FALSE(ledger_.Receive("r7-c"));
  EXPECT_FALSE(ledger_.Receive("r7-z"));
  EXPECT_EQ(ledger_.counters().folding, 2u);
  EXPECT_EQ(ledger_.counters().invited, 3u);
}

TEST(RoundLedgerRestoreTest, ARestoredRecordComesBackOnce) {
  RoundLedger ledger(1, 0);
  AssignmentRecord record;
  record.id = "r1-a";
  record.client = "a";
  record.round = 1;
  record.state = AssignmentState::kFolded;
  ledger.Restore(record);
  ledger.Restore(record);
  EXPECT_EQ(ledger.counters().invited, 1u);
  EXPECT_EQ(ledger.counters().folding, 1u);
  EXPECT_EQ(ledger.StartFold(1), "r1-a");
}

TEST(RoundLedgerRestoreTest, ARecordWithAForeignNameBreaksTheInvariants) {
  RoundLedger ledger(1, 0);
  AssignmentRecord record;
  record.id = "r2-a";
  record.client = "a";
  ledger.Restore(record);
  EXPECT_EQ(ledger.CheckInvariants().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace thinwire
