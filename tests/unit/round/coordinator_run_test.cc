#include "tests/unit/round/coordinator_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class CoordinatorRunTest : public CoordinatorFixture {
 protected:
  void AskClients() {
    restored_.version.reset();
    options_.ask_client_for_initial = true;
  }
  void PlayRound(uint32_t round, uint64_t new_version) {
    WaitAll({"a", "b", "c"});
    for (const char* client : {"a", "b", "c"}) Deliver("r" + std::to_string(round) + "-" + client);
    Apply(VersionPublished{new_version});
  }
};

TEST_F(CoordinatorRunTest, AVersionAtTheStartMakesTheRunStartWithRoundOne) {
  EXPECT_THAT(Start(), IsEmpty());
  EXPECT_EQ(Status().state, RunState::kRunning);
  EXPECT_EQ(Status().round, 1u);
}

TEST_F(CoordinatorRunTest, WithoutAVersionTheRunWaitsForTheOneFromTheFile) {
  restored_.version.reset();
  Start();
  EXPECT_THAT(WaitAll({"a", "b", "c"}), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "initial weights from the server's file");
  EXPECT_THAT(Apply(VersionPublished{0}), Contains("open round 1 on version 0"));
}

TEST_F(CoordinatorRunTest, TheTrainerThatWaitsFirstIsAskedForInitialWeights) {
  AskClients();
  Start();
  EXPECT_EQ(Status().waiting_for, "a trainer to ask for initial weights");
  EXPECT_THAT(Evaluator("e"), IsEmpty());
  EXPECT_THAT(Wait("b"), ElementsAre("assign init-1-b to b: initialize"));
  EXPECT_THAT(Wait("a"), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "initial weights from client b");
  EXPECT_THAT(Wait("b"), ElementsAre("assign init-1-b to b again: initialize"));
  EXPECT_THAT(Received("init-1-b"), ElementsAre("publish initial weights from init-1-b"));
  EXPECT_THAT(Received("init-1-b"), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "initial weights from client b to be published");
  Apply(VersionPublished{0});
  EXPECT_EQ(Status().state, RunState::kRunning);
}

TEST_F(CoordinatorRunTest, IfTheAskedClientGoesTheNextInTheOrderOfArrivalIsAsked) {
  AskClients();
  Start();
  WaitAll({"d", "c", "b"});
  EXPECT_THAT(Apply(ClientGone{"d", "lease: silent"}),
              ElementsAre("settle init-1-d as dropped (lease: silent)", "assign init-2-c to c: initialize"));
}

TEST_F(CoordinatorRunTest, AClientThatGoesAfterDeliveringInitialWeightsTakesNothingAway) {
  AskClients();
  Start();
  Wait("a");
  Received("init-1-a");
  EXPECT_THAT(Apply(ClientGone{"a", "left"}), IsEmpty());
  EXPECT_THAT(Apply(AssignmentFailed{"init-1-a", "left", true}), IsEmpty());
  Apply(VersionPublished{0});
  EXPECT_EQ(Status().version, 0u);
}

TEST_F(CoordinatorRunTest, AClientThatFailedIsAskedAgainOnlyIfThereIsNoOther) {
  AskClients();
  Start();
  WaitAll({"a", "b"});
  EXPECT_THAT(Apply(AssignmentFailed{"init-1-a", "train: no data", true}),
              ElementsAre("settle init-1-a as failed (train: no data)", "assign init-2-b to b: initialize"));
  WaitAll({"a", "c"});
  EXPECT_THAT(Apply(ClientGone{"b", "left"}), Contains("assign init-3-c to c: initialize"));
  EXPECT_THAT(Apply(ClientGone{"c", "left"}), Contains("assign init-4-a to a: initialize"));
}

TEST_F(CoordinatorRunTest, TooManyFailedInitialisationsFailTheRun) {
  AskClients();
  options_.max_failed_rounds = 2;
  Start();
  WaitAll({"a", "b"});
  Received("init-1-a");
  Apply(AssignmentFailed{"init-1-a", "NaN: tensor 3", false});
  Received("init-2-b");
  EXPECT_THAT(Apply(PublishFailed{"disk: full"}),
              ElementsAre("settle init-2-b as failed, update and all (disk: full)",
                          "finish run as failed (initial weights failed 2 times, the last time: disk: full)"));
}

TEST_F(CoordinatorRunTest, ASlowInitialisationGivesWayOnceAnotherTrainerWaits) {
  AskClients();
  Start();
  Wait("a");
  EXPECT_EQ(coordinator_->NextDeadline(), absl::InfiniteDuration());
  EXPECT_THAT(Advance(absl::Minutes(2)), IsEmpty());
  EXPECT_THAT(Wait("b"), ElementsAre("settle init-1-a as dropped (deadline: no initial weights within 60 s)",
                                     "assign init-2-b to b: initialize"));
  EXPECT_THAT(Received("init-1-a"), ElementsAre(StartsWith("settle init-1-a as dropped, update and all")));
}

TEST_F(CoordinatorRunTest, TheRunEndsWhenAllRoundsArePublished) {
  options_.rounds = 2;
  Start();
  PlayRound(1, 1);
  WaitAll({"a", "b", "c"});
  for (const char* id : {"r2-a", "r2-b", "r2-c"}) Deliver(id);
  Wait("a");
  EXPECT_THAT(Apply(VersionPublished{2}), ElementsAre("finish run as completed (2 rounds published)", "dismiss a"));
  EXPECT_THAT(Wait("b"), ElementsAre("dismiss b"));
  EXPECT_THAT(Evaluator("e"), ElementsAre("dismiss e"));
  EXPECT_EQ(Status().state, RunState::kCompleted);
  EXPECT_EQ(Status().waiting_for, "");
  EXPECT_EQ(coordinator_->NextDeadline(), absl::InfiniteDuration());
}

TEST_F(CoordinatorRunTest, AFailedRoundIsFollowedByAnotherUntilEnoughArePublished) {
  options_.rounds = 1;
  Start();
  WaitAll({"a", "b", "c"});
  Advance(absl::Minutes(1));
  PlayRound(2, 1);
  EXPECT_EQ(Status().state, RunState::kCompleted);
  EXPECT_EQ(Status().round, 2u);
  EXPECT_EQ(Status().version, 1u);
}

TEST_F(CoordinatorRunTest, TooManyFailedRoundsInARowFailTheRun) {
  options_.max_failed_rounds = 2;
  Start();
  WaitAll({"a", "b", "c"});
  Advance(absl::Minutes(1));
  WaitAll({"a", "b", "c"});
  EXPECT_THAT(Advance(absl::Minutes(1)),
              Contains("finish run as failed (2 rounds failed in a row, the last: deadline: 0 of at least 2 updates "
                       "within 60 s, 0 failed, 0 dropped)"));
}

TEST_F(CoordinatorRunTest, APublishedRoundForgivesTheFailuresBefore) {
  options_.max_failed_rounds = 2;
  options_.rounds = 2;
  Start();
  WaitAll({"a", "b", "c"});
  Advance(absl::Minutes(1));
  PlayRound(2, 1);
  WaitAll({"a", "b", "c"});
  Advance(absl::Minutes(1));
  EXPECT_EQ(Status().state, RunState::kRunning);
}

TEST_F(CoordinatorRunTest, AStopDiscardsTheOpenRoundAndSendsEverybodyHome) {
  Start();
  WaitAll({"a", "b", "c", "d"});
  Received("r1-a");
  EXPECT_THAT(Apply(StopRequested{"operator: enough"}),
              ElementsAre("fail round 1 (run stopped: operator: enough)",
                          "settle r1-b as discarded (run stopped: operator: enough)",
                          "settle r1-c as discarded (run stopped: operator: enough)",
                          "settle r1-a as discarded, update and all (run stopped: operator: enough)",
                          "finish run as stopped (operator: enough)", "dismiss d"));
  EXPECT_THAT(Apply(StopRequested{"again"}), IsEmpty());
  EXPECT_EQ(Status().reason, "operator: enough");
}

TEST_F(CoordinatorRunTest, AStopWaitsForAPublicationUnderWay) {
  options_.rounds = 5;
  Start();
  WaitAll({"a", "b", "c"});
  for (const char* id : {"r1-a", "r1-b", "r1-c"}) Deliver(id);
  EXPECT_THAT(Apply(StopRequested{"operator: enough"}), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "round 1: version 1 to be published, then the run stops");
  EXPECT_THAT(Apply(VersionPublished{1}), ElementsAre("finish run as stopped (operator: enough)"));
  EXPECT_EQ(Status().version, 1u);
}

TEST_F(CoordinatorRunTest, AStopWaitsForInitialWeightsThatAreBeingPublished) {
  AskClients();
  Start();
  Wait("a");
  Received("init-1-a");
  EXPECT_THAT(Apply(StopRequested{"operator: enough"}), IsEmpty());
  EXPECT_THAT(Apply(PublishFailed{"disk: full"}), ElementsAre("settle init-1-a as failed, update and all (disk: full)",
                                                              "finish run as stopped (operator: enough)"));
}

TEST_F(CoordinatorRunTest, TheSameSeedSelectsTheSameClientsInWhateverOrderTheyCame) {
  options_.invite_wait = absl::Minutes(1);
  options_.invited = 5;
  options_.clients = 5;
  options_.seed = 11;
  Start();
  const Texts once = WaitAll({"a", "b", "c", "d", "e"});
  Start();
  const Texts reversed = WaitAll({"e", "d", "c", "b", "a"});
  EXPECT_EQ(once, reversed);
  options_.seed = 12;
  Start();
  EXPECT_NE(WaitAll({"a", "b", "c", "d", "e"}), once);
}

TEST_F(CoordinatorRunTest, ARunThatWaitsForTheOperatorOpensItsFirstRoundWhenToldTo) {
  options_.wait_for_start = true;
  options_.invite_wait = absl::Seconds(5);
  Start();
  EXPECT_THAT(WaitAll({"a"}), IsEmpty());
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(WaitAll({"b", "c"}), IsEmpty());
  EXPECT_EQ(Status().waiting_for, "the operator: thinwire start");
  EXPECT_EQ(coordinator_->NextDeadline(), absl::InfiniteDuration());
  EXPECT_THAT(Apply(StartRequested{}), Contains("open round 1 on version 0"));
  EXPECT_THAT(Apply(StartRequested{}), IsEmpty());
}

TEST_F(CoordinatorRunTest, ARunThatHadARoundWaitsForNobodyAfterARestart) {
  options_.wait_for_start = true;
  options_.rounds = 3;
  restored_.round = 1;
  restored_.round_state = RoundState::kPublished;
  restored_.version = 1;
  Start();
  EXPECT_THAT(WaitAll({"a", "b", "c"}), Contains("open round 2 on version 1"));
}

TEST_F(CoordinatorRunTest, ARunThatWaitsForTheOperatorCanBeStopped) {
  options_.wait_for_start = true;
  Start();
  WaitAll({"a"});
  EXPECT_THAT(Apply(StopRequested{"lunch"}), Contains("finish run as stopped (lunch)"));
}

}  // namespace
}  // namespace thinwire
