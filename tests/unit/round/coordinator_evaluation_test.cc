#include "tests/unit/round/coordinator_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class CoordinatorEvaluationTest : public CoordinatorFixture {
 protected:
  CoordinatorEvaluationTest() {
    options_.clients = 1;
    options_.invited = 1;
    options_.min_updates = 1;
    options_.evaluate_every = 2;
    options_.rounds = 3;
    restored_.unevaluated = {0};
  }
  Texts PlayRound(uint32_t round) {
    const std::string id = "r" + std::to_string(round) + "-a";
    Wait("a");
    Deliver(id);
    return Apply(VersionPublished{round});
  }
};

TEST_F(CoordinatorEvaluationTest, DueAreVersionZeroEverySecondAndTheLast) {
  Start();
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e0-e to e: evaluate version 0"));
  Apply(EvaluationReported{"e0-e"});
  PlayRound(1);
  EXPECT_THAT(Evaluator("e"), IsEmpty());
  EXPECT_THAT(PlayRound(2), Contains("assign e2-e to e: evaluate version 2"));
  Apply(EvaluationReported{"e2-e"});
  PlayRound(3);
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e3-e to e: evaluate version 3"));
  EXPECT_THAT(Apply(EvaluationReported{"e3-e"}), ElementsAre("finish run as completed (3 rounds published)"));
}

TEST_F(CoordinatorEvaluationTest, NothingIsDueIfNothingIsToBeEvaluated) {
  options_.evaluate_every = 0;
  Start();
  EXPECT_THAT(Evaluator("e"), IsEmpty());
  EXPECT_THAT(coordinator_->PinnedVersions(), IsEmpty());
}

TEST_F(CoordinatorEvaluationTest, EachDueVersionGoesToOneEvaluatorInAscendingOrder) {
  options_.evaluate_every = 1;
  Start();
  PlayRound(1);
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e0-e to e: evaluate version 0"));
  EXPECT_THAT(Evaluator("f"), ElementsAre("assign e1-f to f: evaluate version 1"));
  EXPECT_THAT(Evaluator("g"), IsEmpty());
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e0-e to e again: evaluate version 0"));
}

TEST_F(CoordinatorEvaluationTest, EvaluatingDoesNotHoldUpTraining) {
  Start();
  Evaluator("e");
  PlayRound(1);
  PlayRound(2);
  EXPECT_EQ(Status().round, 3u);
  EXPECT_THAT(coordinator_->PinnedVersions(), ElementsAre(0, 2));
}

TEST_F(CoordinatorEvaluationTest, AnEvaluatorThatGoesIsFollowedByAnotherOrByItself) {
  Start();
  Evaluator("e");
  EXPECT_THAT(Apply(ClientGone{"e", "left"}), ElementsAre("settle e0-e as dropped (left)"));
  EXPECT_THAT(Apply(EvaluationReported{"e0-e"}), IsEmpty());
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e0.2-e to e: evaluate version 0"));
}

TEST_F(CoordinatorEvaluationTest, AnEvaluatorThatFailsIsNotAskedForThisVersionAgain) {
  Start();
  Evaluator("e");
  EXPECT_THAT(Apply(AssignmentFailed{"e0-e", "data: none", true}), ElementsAre("settle e0-e as failed (data: none)"));
  EXPECT_THAT(Evaluator("e"), IsEmpty());
  EXPECT_THAT(Evaluator("f"), ElementsAre("assign e0.2-f to f: evaluate version 0"));
}

TEST_F(CoordinatorEvaluationTest, AReportThatComesTwiceCountsOnce) {
  options_.evaluate_every = 1;
  Start();
  PlayRound(1);
  Evaluator("e");
  Apply(EvaluationReported{"e0-e"});
  Apply(EvaluationReported{"e0-e"});
  EXPECT_THAT(Evaluator("e"), ElementsAre("assign e1-e to e: evaluate version 1"));
}

TEST_F(CoordinatorEvaluationTest, TheLastEvaluationIsWaitedForIfAnEvaluatorWasEverSeen) {
  options_.rounds = 1;
  Start();
  Evaluator("e");
  Apply(ClientGone{"e", "left"});
  PlayRound(1);
  EXPECT_EQ(Status().state, RunState::kEvaluating);
  EXPECT_EQ(Status().waiting_for, "2 evaluations, for 120 s at most");
  EXPECT_EQ(coordinator_->NextDeadline(), clock_.Now() + absl::Minutes(2));
  EXPECT_THAT(
      Advance(absl::Minutes(2)),
      ElementsAre("finish run as completed (1 round published, without 2 evaluations: not reported within 120 s)"));
}

TEST_F(CoordinatorEvaluationTest, WithoutAnEvaluatorTheRunEndsAtOnce) {
  options_.rounds = 1;
  Start();
  EXPECT_THAT(PlayRound(1), ElementsAre("finish run as completed (1 round published, no evaluator ever joined)"));
}

TEST_F(CoordinatorEvaluationTest, WhenEveryEvaluatorHasFailedThereIsNothingToWaitFor) {
  options_.rounds = 1;
  Start();
  Evaluator("e");
  Apply(AssignmentFailed{"e0-e", "data: none", true});
  PlayRound(1);
  Evaluator("e");
  EXPECT_THAT(
      Apply(AssignmentFailed{"e1-e", "data: none", true}),
      ElementsAre("settle e1-e as failed (data: none)",
                  "finish run as completed (1 round published, without 2 evaluations: every evaluator failed)"));
}

TEST_F(CoordinatorEvaluationTest, TheOldestOfTooManyUnevaluatedVersionsIsSkipped) {
  options_.evaluate_every = 1;
  options_.rounds = 9;
  options_.max_unevaluated = 2;
  Start();
  Evaluator("e");
  for (uint32_t round = 1; round <= 4; ++round) PlayRound(round);
  // Version 0 is being evaluated and therefore kept.
  EXPECT_THAT(coordinator_->PinnedVersions(), ElementsAre(0, 4));
}

TEST_F(CoordinatorEvaluationTest, AStopEndsEvaluationsUnderWay) {
  Start();
  Evaluator("e");
  EXPECT_THAT(Apply(StopRequested{"operator: enough"}),
              ElementsAre("settle e0-e as discarded (run stopped: operator: enough)",
                          "finish run as stopped (operator: enough)"));
}

}  // namespace
}  // namespace thinwire
