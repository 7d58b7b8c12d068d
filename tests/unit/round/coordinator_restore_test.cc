#include "tests/unit/round/coordinator_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class CoordinatorRestoreTest : public CoordinatorFixture {
 protected:
  // Round 1 is open with 20 s left.
  CoordinatorRestoreTest() {
    restored_.round = 1;
    restored_.round_state = RoundState::kTraining;
    restored_.time_left = absl::Seconds(20);
    clock_.Advance(absl::Hours(3));
  }
};

TEST_F(CoordinatorRestoreTest, AnOpenRoundFoldsItsUpdatesAgainInTheOrderOfReceipt) {
  Remember("b", AssignmentState::kReceived);
  Remember("a", AssignmentState::kReceived);
  Remember("c", AssignmentState::kTraining);
  EXPECT_THAT(Start(), ElementsAre("open round 1 on version 0", "fold r1-b", "fold r1-a"));
  EXPECT_EQ(Status().counters.invited, 3u);
  EXPECT_EQ(coordinator_->TimeLeft(clock_.Now()), absl::Seconds(20));
  EXPECT_THAT(Wait("c"), ElementsAre("assign r1-c to c again: train round 1 from version 0, 20 s left"));
}

TEST_F(CoordinatorRestoreTest, FoldedButUnpublishedUpdatesAreFoldedAgain) {
  Remember("a", AssignmentState::kFolded);
  Remember("b", AssignmentState::kTraining);
  EXPECT_THAT(Start(), ElementsAre("open round 1 on version 0", "fold r1-a"));
  EXPECT_EQ(Status().counters.folded, 0u);
}

TEST_F(CoordinatorRestoreTest, SettledAssignmentsOfAnOpenRoundKeepTheirCounters) {
  Remember("a", AssignmentState::kFailed);
  Remember("b", AssignmentState::kDropped);
  Remember("c", AssignmentState::kTraining);
  Remember("d", AssignmentState::kTraining);
  EXPECT_THAT(Start(), ElementsAre("open round 1 on version 0"));
  EXPECT_EQ(Status().counters.failed, 1u);
  EXPECT_EQ(Status().counters.dropped, 1u);
  EXPECT_THAT(Wait("a"), IsEmpty());
}

TEST_F(CoordinatorRestoreTest, OnlyTheWantedNumberOfReceivedUpdatesIsFolded) {
  options_.clients = 2;
  options_.invited = 4;
  for (const char* client : {"d", "c", "b"}) Remember(client, AssignmentState::kReceived);
  EXPECT_THAT(Start(), ElementsAre("open round 1 on version 0", "fold r1-d", "fold r1-c"));
}

TEST_F(CoordinatorRestoreTest, AClosingRoundTakesNoMoreUpdatesAndClosesAgain) {
  restored_.round_state = RoundState::kClosing;
  Remember("a", AssignmentState::kReceived);
  Remember("b", AssignmentState::kReceived);
  Remember("c", AssignmentState::kTraining);
  EXPECT_THAT(Start(),
              ElementsAre("open round 1 on version 0",
                          "settle r1-c as discarded (deadline: the round was closing when the server restarted)",
                          "fold r1-a", "fold r1-b"));
  Folded("r1-b");
  EXPECT_THAT(Folded("r1-a"), ElementsAre("close round 1: version 0 -> 1 with r1-a r1-b"));
}

TEST_F(CoordinatorRestoreTest, ADeadlineThatHadPassedFiresAtTheStart) {
  restored_.time_left = absl::ZeroDuration();
  Remember("a", AssignmentState::kTraining);
  const Texts told = Start();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_THAT(told[1], StartsWith("fail round 1 (deadline: 0 of at least 2 updates"));
}

TEST_F(CoordinatorRestoreTest, ARoundThatOpenedWithoutAssignmentsIsInvitedAnew) {
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_EQ(Status().round_state, RoundState::kInviting);
  EXPECT_EQ(Status().round, 1u);
  EXPECT_THAT(WaitAll({"a", "b", "c"}), Contains("open round 1 on version 0"));
  EXPECT_EQ(coordinator_->TimeLeft(clock_.Now()), absl::Minutes(1));
}

TEST_F(CoordinatorRestoreTest, AResumedRoundWithTooFewLeftWaitsForReplacementsUntilItsDeadline) {
  Remember("a", AssignmentState::kDropped);
  Remember("b", AssignmentState::kDropped);
  Remember("c", AssignmentState::kReceived);
  Start();
  Folded("r1-c");
  EXPECT_EQ(Status().round_state, RoundState::kTraining);
  EXPECT_THAT(Wait("d"), ElementsAre("assign r1-d to d: train round 1 from version 0, 20 s left"));
}

TEST_F(CoordinatorRestoreTest, OnlyTheResumedRoundItselfWaitsForReplacementsThatNobodyKnows) {
  Remember("a", AssignmentState::kTraining);
  Start();
  Advance(absl::Seconds(20));
  WaitAll({"a", "b", "c"});
  for (const char* client : {"a", "b"}) Apply(ClientGone{client, "left"});
  EXPECT_THAT(Apply(ClientGone{"c", "left"}), Contains(StartsWith("fail round 2 (too few left:")));
}

TEST_F(CoordinatorRestoreTest, AfterAPublishedOrFailedRoundTheNextOneIsInvited) {
  options_.rounds = 9;
  restored_.round = 4;
  restored_.version = 3;
  for (const RoundState state : {RoundState::kPublished, RoundState::kFailed}) {
    restored_.round_state = state;
    EXPECT_THAT(Start(), IsEmpty());
    EXPECT_EQ(Status().round, 5u);
  }
}

TEST_F(CoordinatorRestoreTest, WhatAnEndedRoundLeftUnsettledIsSettled) {
  restored_.round_state = RoundState::kFailed;
  Remember("a", AssignmentState::kReceived);
  Remember("b", AssignmentState::kTraining);
  Remember("c", AssignmentState::kFolded);
  EXPECT_THAT(Start(), ElementsAre("settle r1-a as discarded, update and all (restart: what it belonged to had ended)",
                                   "settle r1-b as discarded (restart: what it belonged to had ended)"));
}

TEST_F(CoordinatorRestoreTest, TooManyFailuresBeforeTheCrashFailTheRunAtTheStart) {
  restored_.round_state = RoundState::kFailed;
  restored_.failed_rounds = 3;
  restored_.last_failure = "deadline: nobody";
  EXPECT_THAT(Start(), ElementsAre("finish run as failed (3 rounds failed in a row, the last: deadline: nobody)"));
}

TEST_F(CoordinatorRestoreTest, ARunWhoseLastVersionWasPublishedFinishesAtTheStart) {
  restored_.round_state = RoundState::kPublished;
  restored_.version = 1;
  EXPECT_THAT(Start(), ElementsAre("finish run as completed (1 round published)"));
}

TEST_F(CoordinatorRestoreTest, ARunThatHadEndedStaysEnded) {
  restored_.state = RunState::kStopped;
  restored_.reason = "operator: enough";
  Remember("a", AssignmentState::kTraining);
  EXPECT_THAT(Start(), ElementsAre(StartsWith("settle r1-a as discarded")));
  EXPECT_EQ(Status().state, RunState::kStopped);
  EXPECT_EQ(Status().reason, "operator: enough");
  EXPECT_THAT(Wait("a"), ElementsAre("dismiss a"));
}

TEST_F(CoordinatorRestoreTest, InitialWeightsThatHadComeArePublished) {
  options_.ask_client_for_initial = true;
  restored_ = RestoredRun();
  restored_.initializations = 4;
  restored_.assignments = {Other("init-4-a", "a", WorkKind::kInitialize, AssignmentState::kReceived)};
  EXPECT_THAT(Start(), ElementsAre("publish initial weights from init-4-a"));
  EXPECT_THAT(Apply(AssignmentFailed{"init-4-a", "NaN: tensor 3", false}),
              ElementsAre("settle init-4-a as failed, update and all (NaN: tensor 3)"));
  EXPECT_THAT(Wait("b"), ElementsAre("assign init-5-b to b: initialize"));
}

TEST_F(CoordinatorRestoreTest, TheClientThatWasAskedForInitialWeightsIsAskedAgain) {
  options_.ask_client_for_initial = true;
  restored_ = RestoredRun();
  restored_.initializations = 1;
  restored_.assignments = {Other("init-1-a", "a", WorkKind::kInitialize, AssignmentState::kTraining)};
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_THAT(Wait("b"), IsEmpty());
  EXPECT_THAT(Wait("a"), ElementsAre("assign init-1-a to a again: initialize"));
}

TEST_F(CoordinatorRestoreTest, EvaluationsThatWereDueAreDueAgain) {
  options_.rounds = 9;
  options_.evaluate_every = 2;
  restored_.round = 4;
  restored_.version = 4;
  restored_.round_state = RoundState::kPublished;
  restored_.unevaluated = {1, 2, 3, 4};
  restored_.assignments = {Other("e2-e", "e", WorkKind::kEvaluate, AssignmentState::kTraining, 2),
                           Other("e0-f", "f", WorkKind::kEvaluate, AssignmentState::kTraining, 0)};
  EXPECT_THAT(Start(), ElementsAre("settle e0-f as discarded (restart: what it belonged to had ended)"));
  EXPECT_THAT(Evaluator("f"), ElementsAre("assign e4-f to f: evaluate version 4"));
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e2-e to e again: evaluate version 2"));
}

TEST_F(CoordinatorRestoreTest, AnEvaluationTriedBeforeTheCrashGetsANewIdAndNoClientThatFailedAtIt) {
  options_.rounds = 9;
  options_.evaluate_every = 1;
  restored_.round_state = RoundState::kFailed;
  restored_.unevaluated = {0};
  restored_.assignments = {Other("e0-e", "e", WorkKind::kEvaluate, AssignmentState::kFailed, 0),
                           Other("e0.2-f", "f", WorkKind::kEvaluate, AssignmentState::kDropped, 0)};
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_THAT(Evaluator("e"), IsEmpty());
  EXPECT_THAT(Evaluator("f"), ElementsAre("assign e0.3-f to f: evaluate version 0"));
}

TEST_F(CoordinatorRestoreTest, AnOpenEvaluationThatIsNamedTwiceComesBackOnce) {
  options_.evaluate_every = 1;
  restored_.round_state = RoundState::kFailed;
  restored_.unevaluated = {0};
  restored_.assignments = {Other("e0-e", "e", WorkKind::kEvaluate, AssignmentState::kTraining, 0),
                           Other("e0-e", "e", WorkKind::kEvaluate, AssignmentState::kTraining, 0)};
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e0-e to e again: evaluate version 0"));
}

TEST_F(CoordinatorRestoreTest, AnEvaluatorSeenBeforeTheCrashIsWaitedFor) {
  options_.evaluate_every = 1;
  restored_.version = 1;
  restored_.round_state = RoundState::kPublished;
  restored_.unevaluated = {1};
  restored_.evaluator_seen = true;
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_EQ(Status().state, RunState::kEvaluating);
  restored_.evaluator_seen = false;
  EXPECT_THAT(Start(), ElementsAre("finish run as completed (1 round published, no evaluator ever joined)"));
}

}  // namespace
}  // namespace thinwire
