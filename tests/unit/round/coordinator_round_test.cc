#include "server/round/selection.h"
#include "tests/unit/round/coordinator_fixture.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class CoordinatorRoundTest : public CoordinatorFixture {
 protected:
  void Open() {
    Start();
    WaitAll({"a", "b", "c"});
  }
};

TEST_F(CoordinatorRoundTest, ARoundOpensWhenEnoughTrainersWait) {
  Start();
  EXPECT_THAT(WaitAll({"a", "b"}), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "round 1: 2 of 3 clients joined and waiting, 1 more needed");
  const Texts told = Wait("c");
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0], "open round 1 on version 0");
  EXPECT_THAT(Texts(told.begin() + 1, told.end()),
              UnorderedElementsAre("assign r1-a to a: train round 1 from version 0, 60 s left",
                                   "assign r1-b to b: train round 1 from version 0, 60 s left",
                                   "assign r1-c to c: train round 1 from version 0, 60 s left"));
  EXPECT_EQ(Status().counters.training, 3u);
  EXPECT_EQ(Status().trainers_waiting, 0u);
}

TEST_F(CoordinatorRoundTest, AClientThatWaitsTwiceCountsOnce) {
  Start();
  EXPECT_THAT(WaitAll({"a", "a", "a", "b"}), IsEmpty());
  EXPECT_EQ(Status().trainers_waiting, 2u);
}

TEST_F(CoordinatorRoundTest, EvaluatorsAreNotInvitedToTrain) {
  Start();
  WaitAll({"a", "b"});
  EXPECT_THAT(Evaluator("c"), IsEmpty());
}

TEST_F(CoordinatorRoundTest, AWaitingClientWithUnfinishedWorkGetsItAgainWithTheTimeThatIsLeft) {
  Open();
  clock_.Advance(absl::Seconds(15));
  EXPECT_THAT(Wait("b"), ElementsAre("assign r1-b to b again: train round 1 from version 0, 45 s left"));
}

TEST_F(CoordinatorRoundTest, AClientWhoseUpdateWasReceivedWaitsForTheNextRound) {
  Open();
  Received("r1-a");
  EXPECT_THAT(Wait("a"), IsEmpty());
  EXPECT_EQ(Status().trainers_waiting, 1u);
}

TEST_F(CoordinatorRoundTest, AnUpdateIsFoldedOnceHoweverOftenItIsReceived) {
  Open();
  EXPECT_THAT(Received("r1-a"), ElementsAre("fold r1-a"));
  EXPECT_THAT(Received("r1-a"), IsEmpty());
  Folded("r1-a");
  EXPECT_THAT(Received("r1-a"), IsEmpty());
  EXPECT_THAT(Folded("r1-a"), IsEmpty());
  EXPECT_EQ(Status().counters.folded, 1u);
}

TEST_F(CoordinatorRoundTest, TheLastWantedFoldClosesTheRoundWithItsUpdatesInAFixedOrder) {
  Open();
  Deliver("r1-c");
  Deliver("r1-a");
  Received("r1-b");
  EXPECT_THAT(Folded("r1-b"), ElementsAre("close round 1: version 0 -> 1 with r1-a r1-b r1-c"));
  EXPECT_EQ(Status().round_state, RoundState::kClosing);
  EXPECT_EQ(Status().waiting_for, "round 1: version 1 to be published");
  EXPECT_EQ(coordinator_->NextDeadline(), absl::InfiniteDuration());
}

TEST_F(CoordinatorRoundTest, NoMoreThanTheWantedNumberIsFolded) {
  options_.clients = 1;
  options_.min_updates = 1;
  Open();
  EXPECT_THAT(Received("r1-b"), ElementsAre("fold r1-b"));
  EXPECT_THAT(Received("r1-a"), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "round 1: 1 of 1 updates, 1 folding, 1 held, deadline in 60 s");
  EXPECT_THAT(Folded("r1-b"),
              ElementsAre("settle r1-c as discarded (enough updates: round 1 has its 1)",
                          "settle r1-a as discarded, update and all (enough updates: round 1 has its 1)",
                          "close round 1: version 0 -> 1 with r1-b"));
}

TEST_F(CoordinatorRoundTest, AHeldUpdateTakesThePlaceOfOneThatCannotBeFolded) {
  options_.clients = 1;
  options_.min_updates = 1;
  Open();
  Received("r1-b");
  Received("r1-a");
  EXPECT_THAT(Apply(AssignmentFailed{"r1-b", "NaN: tensor 3", false}),
              ElementsAre("settle r1-b as failed, update and all (NaN: tensor 3)", "fold r1-a"));
  EXPECT_EQ(Status().refusals.at("NaN"), 1u);
}

TEST_F(CoordinatorRoundTest, WhatAClientSaysAboutADurableUpdateIsVoid) {
  Open();
  Received("r1-a");
  EXPECT_THAT(Apply(AssignmentFailed{"r1-a", "train: out of memory", true}), IsEmpty());
  Folded("r1-a");
  EXPECT_THAT(Apply(AssignmentFailed{"r1-a", "train: out of memory", false}), IsEmpty());
  EXPECT_EQ(Status().counters.folded, 1u);
}

TEST_F(CoordinatorRoundTest, ARoundClosesWhenEveryAssignmentHasEndedWithAQuorum) {
  Open();
  Deliver("r1-a");
  Deliver("r1-b");
  EXPECT_EQ(Status().round_state, RoundState::kTraining);
  EXPECT_THAT(
      Apply(AssignmentFailed{"r1-c", "train: out of memory", true}),
      ElementsAre("settle r1-c as failed (train: out of memory)", "close round 1: version 0 -> 1 with r1-a r1-b"));
}

TEST_F(CoordinatorRoundTest, TheDeadlineClosesARoundWithAQuorumAndWaitsForFolds) {
  Open();
  Deliver("r1-a");
  Received("r1-b");
  EXPECT_THAT(Advance(absl::Seconds(60)), ElementsAre("settle r1-c as discarded (deadline: no update within 60 s)"));
  EXPECT_EQ(Status().waiting_for, "round 1: 1 fold under way before it closes");
  EXPECT_THAT(Received("r1-c"),
              ElementsAre("settle r1-c as discarded, update and all (deadline: no update within 60 s)"));
  EXPECT_THAT(Folded("r1-b"), ElementsAre("close round 1: version 0 -> 1 with r1-a r1-b"));
}

TEST_F(CoordinatorRoundTest, NothingHappensBeforeTheDeadline) {
  Open();
  EXPECT_EQ(coordinator_->NextDeadline(), clock_.Now() + absl::Seconds(60));
  EXPECT_THAT(Advance(absl::Seconds(60) - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_EQ(coordinator_->TimeLeft(clock_.Now()), absl::Nanoseconds(1));
}

TEST_F(CoordinatorRoundTest, AFoldThatFailsAfterTheDeadlineCanCostTheQuorum) {
  Open();
  Deliver("r1-a");
  Received("r1-b");
  Advance(absl::Seconds(60));
  EXPECT_THAT(
      Apply(AssignmentFailed{"r1-b", "NaN: tensor 3", false}),
      ElementsAre("settle r1-b as failed, update and all (NaN: tensor 3)",
                  "fail round 1 (too few updates: 1 of at least 2 could be folded, 1 failed)",
                  AllOf(StartsWith("settle r1-a as discarded, update and all (round failed: too few updates"))));
}

TEST_F(CoordinatorRoundTest, WithoutAQuorumTheDeadlineFailsTheRoundAndTheNextStartsFromTheSameVersion) {
  Open();
  Deliver("r1-a");
  const Texts told = Advance(absl::Minutes(1));
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0], "fail round 1 (deadline: 1 of at least 2 updates within 60 s, 0 failed, 0 dropped)");
  EXPECT_THAT(told[3], StartsWith("settle r1-a as discarded, update and all (round failed: deadline: "));
  EXPECT_THAT(WaitAll({"a", "b", "c"}), Contains("open round 2 on version 0"));
}

TEST_F(CoordinatorRoundTest, ADroppedClientIsReplacedOnlyIfTheQuorumNeedsIt) {
  Open();
  WaitAll({"d", "e"});
  EXPECT_THAT(Apply(ClientGone{"a", "lease: silent"}), ElementsAre("settle r1-a as dropped (lease: silent)"));
  EXPECT_THAT(Apply(ClientGone{"b", "lease: silent"}),
              ElementsAre("settle r1-b as dropped (lease: silent)",
                          AllOf(StartsWith("assign r1-"), HasSubstr("train round 1 from version 0, 60 s left"))));
  const RoundCounters counters = Status().counters;
  EXPECT_EQ(counters.invited, 4u);
  EXPECT_EQ(counters.dropped, 2u);
  EXPECT_EQ(counters.training, 2u);
}

TEST_F(CoordinatorRoundTest, AClientThatLostItsPlaceIsNotInvitedToTheSameRoundAgain) {
  Open();
  for (const char* client : {"a", "b"}) Apply(ClientGone{client, "lease: silent"});
  EXPECT_THAT(Wait("a"), IsEmpty());
  EXPECT_THAT(Status().waiting_for, HasSubstr("1 more client needed"));
  EXPECT_THAT(Wait("d"), ElementsAre(StartsWith("assign r1-d to d:")));
}

TEST_F(CoordinatorRoundTest, WithTooFewLeftAndNobodyElseKnownTheRoundFailsAtOnce) {
  Open();
  Deliver("r1-a");
  Apply(ClientGone{"b", "lease: silent"});
  EXPECT_THAT(Apply(ClientGone{"c", "lease: silent"}),
              Contains("fail round 1 (too few left: 1 of at least 2 updates, 0 failed, 2 dropped, and no other trainer "
                       "is known)"));
}

TEST_F(CoordinatorRoundTest, WithTooFewLeftButAnotherTrainerKnownTheRoundWaitsForIt) {
  Open();
  Wait("d");
  Apply(ClientStoppedWaiting{"d"});
  Deliver("r1-a");
  for (const char* client : {"b", "c"}) Apply(ClientGone{client, "lease: silent"});
  EXPECT_EQ(Status().round_state, RoundState::kTraining);
  EXPECT_THAT(Apply(ClientGone{"d", "left"}), Contains(StartsWith("fail round 1 (too few left:")));
}

TEST_F(CoordinatorRoundTest, AnUpdateReceivedBeforeItsClientGoesStays) {
  Open();
  Received("r1-a");
  EXPECT_THAT(Apply(ClientGone{"a", "left"}), IsEmpty());
  EXPECT_EQ(Status().counters.folding, 1u);
}

TEST_F(CoordinatorRoundTest, AnUpdateThatBecameDurableAsItsClientWasGivenUpCounts) {
  Open();
  Apply(ClientGone{"a", "lease: silent"});
  EXPECT_EQ(Status().refusals.count("lease"), 1u);
  EXPECT_THAT(Received("r1-a"), ElementsAre("fold r1-a"));
  EXPECT_EQ(Status().counters.dropped, 0u);
  EXPECT_EQ(Status().refusals.count("lease"), 0u);
}

TEST_F(CoordinatorRoundTest, AnUpdateThatCouldNotBeFoldedIsNotTakenAgain) {
  Open();
  Received("r1-a");
  Apply(AssignmentFailed{"r1-a", "NaN: tensor 3", false});
  EXPECT_THAT(Received("r1-a"), IsEmpty());
  EXPECT_EQ(Status().counters.failed, 1u);
}

TEST_F(CoordinatorRoundTest, AFailedPublicationFailsTheRound) {
  Open();
  for (const char* id : {"r1-a", "r1-b", "r1-c"}) Deliver(id);
  const Texts told = Apply(PublishFailed{"disk: full"});
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0], "fail round 1 (publish: disk: full)");
  EXPECT_THAT(Texts(told.begin() + 1, told.end()),
              Each(HasSubstr("as discarded, update and all (round failed: publish: disk: full)")));
  EXPECT_EQ(Status().version, 0u);
}

TEST_F(CoordinatorRoundTest, OnlyTheVersionUnderWayIsTakenAsPublished) {
  Open();
  Apply(VersionPublished{1});
  EXPECT_EQ(Status().version, 0u);
  for (const char* id : {"r1-a", "r1-b", "r1-c"}) Deliver(id);
  Apply(VersionPublished{2});
  EXPECT_EQ(Status().version, 0u);
  Apply(VersionPublished{1});
  EXPECT_EQ(Status().version, 1u);
}

TEST_F(CoordinatorRoundTest, ARoundThatTheServerCannotGoOnWithFailsUnlessItIsBeingPublished) {
  Open();
  EXPECT_THAT(Apply(RoundAborted{2, "memory: 24 GB"}), IsEmpty());
  EXPECT_THAT(Apply(RoundAborted{1, "memory: 24 GB"}), Contains("fail round 1 (aborted: memory: 24 GB)"));
  WaitAll({"a", "b", "c"});
  for (const char* id : {"r2-a", "r2-b", "r2-c"}) Deliver(id);
  EXPECT_THAT(Apply(RoundAborted{2, "memory: 24 GB"}), IsEmpty());
}

TEST_F(CoordinatorRoundTest, TheInviteWaitStartsARoundWithThoseWhoAreThereIfTheyMakeAQuorum) {
  options_.invite_wait = absl::Minutes(5);
  Start();
  WaitAll({"a", "b"});
  EXPECT_EQ(Status().waiting_for,
            "round 1: 2 of 3 clients joined and waiting, 1 more needed, starts with these in 300 s");
  EXPECT_THAT(Advance(absl::Minutes(5)), Contains("open round 1 on version 0"));
  EXPECT_EQ(Status().counters.invited, 2u);
}

TEST_F(CoordinatorRoundTest, TheInviteWaitFailsARoundWithTooFewClients) {
  options_.invite_wait = absl::Minutes(5);
  Start();
  WaitAll({"a", "b"});
  Apply(ClientStoppedWaiting{"b"});
  EXPECT_EQ(Status().waiting_for, "round 1: 1 of 3 clients joined and waiting, 2 more needed, fails in 300 s");
  EXPECT_THAT(Advance(absl::Minutes(5)),
              ElementsAre("fail round 1 (too few clients: 1 waiting after 300 s, at least 2 needed)"));
  EXPECT_EQ(Status().round, 2u);
}

TEST_F(CoordinatorRoundTest, WithoutALimitARoundInvitesForEver) {
  Start();
  WaitAll({"a", "b"});
  EXPECT_EQ(coordinator_->NextDeadline(), absl::InfiniteDuration());
  EXPECT_THAT(Advance(absl::Hours(1000)), IsEmpty());
}

TEST_F(CoordinatorRoundTest, FindsTheAssignmentsOfTheCurrentRound) {
  Open();
  ASSERT_NE(coordinator_->FindAssignment("r1-a"), nullptr);
  EXPECT_EQ(coordinator_->FindAssignment("r1-a")->state, AssignmentState::kTraining);
  EXPECT_EQ(coordinator_->FindAssignment("r1-a")->client, "a");
  EXPECT_EQ(coordinator_->FindAssignment("r1-z"), nullptr);
  EXPECT_THAT(coordinator_->PinnedVersions(), ElementsAre(0));
}

TEST_F(CoordinatorRoundTest, ALateUpdateOfTheRoundBeforeIsSettledUpdateAndAll) {
  options_.rounds = 2;
  options_.clients = 2;
  Open();
  Deliver("r1-a");
  Deliver("r1-b");
  Apply(VersionPublished{1});
  EXPECT_THAT(Received("r1-c"),
              ElementsAre("settle r1-c as discarded, update and all (enough updates: round 1 has its 2)"));
  EXPECT_THAT(Received("r1-c"), IsEmpty());
  EXPECT_THAT(Received("r1-a"), IsEmpty());
}

TEST_F(CoordinatorRoundTest, AnUpdateOfTwoRoundsBackIsIgnored) {
  options_.rounds = 3;
  options_.clients = 2;
  Open();
  for (uint32_t round = 1; round <= 2; ++round) {
    const std::string prefix = "r" + std::to_string(round) + "-";
    Deliver(prefix + "a");
    Deliver(prefix + "b");
    Apply(VersionPublished{round});
    WaitAll({"a", "b", "c"});
  }
  EXPECT_THAT(Received("r1-c"), IsEmpty());
}

TEST_F(CoordinatorRoundTest, AReplacementIsASelectionOfItsOwn) {
  Open();
  const std::vector<std::string> others = {"d", "e", "f", "g", "h", "i", "j", "k"};
  WaitAll(others);
  Apply(ClientGone{"a", "left"});
  const std::string chosen = SelectClients(others, 1, options_.seed, 1, /*draw=*/3).front();
  ASSERT_NE(chosen, SelectClients(others, 1, options_.seed, 1, /*draw=*/0).front());
  EXPECT_THAT(Apply(ClientGone{"b", "left"}), Contains(StartsWith("assign r1-" + chosen + " to ")));
}

}  // namespace
}  // namespace thinwire
