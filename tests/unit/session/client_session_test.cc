// A session's transitions, when nothing fails.
#include "client/session/client_session.h"

#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

using ClientSessionTest = SessionFixture;

TEST_F(ClientSessionTest, GoesThroughEveryStateOfATrainersRound) {
  api.answers = {MakeAssignment("a1")};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kRunCompleted);
  EXPECT_EQ(summary.delivered, 1u);
  EXPECT_THAT(observer.states, ElementsAre("joining", "awaiting", "downloading", "training", "encoding", "uploading",
                                           "awaiting", "leaving", "ended"));
  EXPECT_THAT(api.calls,
              ElementsAre("Join", "AwaitAssignment", "Download", "UploadStatus", "Upload", "AwaitAssignment", "Leave"));
  EXPECT_THAT(observer.troubles, ElementsAre());
  EXPECT_THAT(observer.receipts, ElementsAre("a1 received"));
}

TEST_F(ClientSessionTest, JoinsWithItsIdRoleModelAndDataSize) {
  options.role = ClientRole::kEvaluator;
  trainer.own_model = model.spec;
  RunSession();
  ASSERT_EQ(api.joins.size(), 1u);
  EXPECT_EQ(api.joins[0].client_id, "client-1");
  EXPECT_EQ(api.joins[0].role, ClientRole::kEvaluator);
  EXPECT_EQ(api.joins[0].examples, 40u);
  ASSERT_TRUE(api.joins[0].model.has_value());
  EXPECT_EQ(*api.joins[0].model, model.spec);
}

TEST_F(ClientSessionTest, TrainsFromTheExactDownlinkWithTheAssignmentsSeedAndOptions) {
  Assignment assignment = MakeAssignment("a1");
  assignment.training.learning_rate = 0.125;
  api.answers = {assignment};
  RunSession();
  ASSERT_EQ(trainer.requests.size(), 1u);
  EXPECT_EQ(trainer.requests[0].seed, 77u);
  EXPECT_EQ(trainer.requests[0].round, 3u);
  EXPECT_EQ(trainer.requests[0].options.learning_rate, 0.125);
  ASSERT_EQ(trainer.started_from.size(), 1u);
  EXPECT_EQ(trainer.started_from[0].floats, model.floats);
  EXPECT_EQ(trainer.started_from[0].ints, model.ints);
}

TEST_F(ClientSessionTest, DeltaUploadCarriesDifferencesOfTrainableTensorsAndBuffersAsTheyAre) {
  api.answers = {MakeAssignment("a1")};
  RunSession();
  const ModelState update = DecodeUpload("a1");
  EXPECT_EQ(uploaded_manifest.representation, Representation::kDelta);
  EXPECT_EQ(uploaded_manifest.base_id, Publish(model).id);
  EXPECT_THAT(update.floats[0], Each(0.5f));
  EXPECT_THAT(update.floats[1], Each(0.5f));
  EXPECT_EQ(update.floats[2][1], model.floats[2][1] + 1.0f);
  EXPECT_THAT(update.ints[3], ElementsAre(1));
}

TEST_F(ClientSessionTest, ModelUploadCarriesTheModelAndNamesItsBase) {
  api.join.plan.uplink_representation = Representation::kModel;
  api.answers = {MakeAssignment("a1")};
  RunSession();
  const ModelState update = DecodeUpload("a1");
  EXPECT_EQ(uploaded_manifest.representation, Representation::kModel);
  EXPECT_EQ(uploaded_manifest.base_id, Publish(model).id);
  EXPECT_EQ(update.floats[0][7], model.floats[0][7] + 0.5f);
}

TEST_F(ClientSessionTest, UploadSaysWhatWasTrainedAndHowLong) {
  trainer.on_train = [this](const TrainRequest&) { clock.Advance(absl::Seconds(3)); };
  api.answers = {MakeAssignment("a1")};
  RunSession();
  const UploadRequest& header = api.upload_headers["a1"];
  EXPECT_EQ(header.examples, 40u);
  EXPECT_EQ(header.train_loss, 0.25);
  EXPECT_EQ(header.train_time, absl::Seconds(3));
}

TEST_F(ClientSessionTest, InitializesByTheAssignmentsSeedAsAnFp32Model) {
  trainer.own_model = trainer.initial_model = model.spec;
  api.join.model.reset();
  api.join.plan = S1E3M7Plan();
  api.answers = {MakeAssignment("init", AssignmentKind::kInitialize)};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.delivered, 0u);  // initial weights are no round
  EXPECT_THAT(observer.states,
              ElementsAre("joining", "awaiting", "initializing", "uploading", "awaiting", "leaving", "ended"));
  const ModelState update = DecodeUpload("init");
  EXPECT_EQ(uploaded_manifest.representation, Representation::kModel);
  EXPECT_TRUE(uploaded_manifest.base_id.empty());
  EXPECT_THAT(update.floats[0], Each(77.0f));
}

TEST_F(ClientSessionTest, EvaluatesADownloadedVersionAndReports) {
  api.answers = {MakeAssignment("e1", AssignmentKind::kEvaluate)};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.delivered, 1u);
  EXPECT_THAT(observer.states, ElementsAre("joining", "awaiting", "downloading", "evaluating", "reporting", "awaiting",
                                           "leaving", "ended"));
  ASSERT_EQ(api.evaluations.count("e1"), 1u);
  EXPECT_EQ(api.evaluations["e1"].accuracy, 0.75);
  EXPECT_EQ(trainer.started_from[0].floats, model.floats);
}

TEST_F(ClientSessionTest, TakesTheModelFromTheAssignmentWhenTheRunHadNoneAtJoin) {
  api.join.model.reset();
  Assignment assignment = MakeAssignment("a1");
  assignment.spec = model.spec;
  api.answers = {assignment};
  EXPECT_EQ(RunSession().delivered, 1u);
}

TEST_F(ClientSessionTest, FrozenTensorsAreFetchedOnceAndMergedIntoEveryRound) {
  auto spec = ModelSpec::Create({{"table", {5}, DataType::kFloat32, TensorRole::kFrozen},
                                 {"weight", {10}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_OK_AND_ASSIGN(model.spec, std::move(spec));
  model = ModelState(model.spec);
  model.floats[0] = {1, 2, 3, 4, 5};
  api.join.model = model.spec;
  const PayloadRef frozen = Publish(model, Representation::kFrozen);
  for (const char* id : {"a1", "a2"}) {
    model.floats[1][0] += 1;
    Assignment assignment = MakeAssignment(id);
    assignment.frozen = frozen;
    api.answers.push_back(assignment);
  }
  EXPECT_EQ(RunSession().delivered, 2u);
  EXPECT_EQ(api.Count("Download"), 3u);
  ASSERT_EQ(trainer.started_from.size(), 2u);
  EXPECT_THAT(trainer.started_from[1].floats[0], ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(trainer.started_from[1].floats[1][0], 2);
}

TEST_F(ClientSessionTest, WaitsWithinTheWindowOfAComeBackAndSaysWhatFor) {
  options.progress_interval = absl::ZeroDuration();
  api.answers = {ComeBack{{absl::Seconds(1), absl::Seconds(8)}, "3 of 8 clients"}};
  RunSession();
  ASSERT_EQ(sleeper.delays.size(), 1u);
  EXPECT_GE(sleeper.delays[0], absl::Seconds(1));
  EXPECT_LE(sleeper.delays[0], absl::Seconds(2));
  EXPECT_THAT(observer.progress, Contains(HasSubstr("3 of 8 clients")));
}

TEST_F(ClientSessionTest, AFailedRunEndsAsFailedWithTheServersReason) {
  api.answers = {RunEnded{"FAILED", "3 rounds failed in a row"}};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kRunFailed);
  EXPECT_THAT(summary.reason, HasSubstr("3 rounds failed in a row"));
}

TEST_F(ClientSessionTest, LeavesAfterTheRoundsItWasGiven) {
  options.max_rounds = 2;
  api.answers = {MakeAssignment("a1"), MakeAssignment("a2"), MakeAssignment("a3")};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kRoundsDone);
  EXPECT_EQ(summary.delivered, 2u);
  EXPECT_EQ(api.uploads.count("a3"), 0u);
  EXPECT_EQ(api.calls.back(), "Leave");
}

TEST_F(ClientSessionTest, AFinishedAssignmentIsDoneAgainForAServerThatGoesOnGivingIt) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment, assignment, assignment, assignment};  // a server that is slow to take note
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(observer.troubles.size(), 3u);
  api.answers = {assignment, assignment, assignment, assignment, assignment};  // one that has lost what it was told
  EXPECT_EQ(RunSession().delivered, 2u);
}

TEST_F(ClientSessionTest, CountsPayloadBytesInBothDirections) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.bytes_down, assignment.model.total_size);
  EXPECT_EQ(summary.bytes_up, api.uploads["a1"].size());
}

TEST_F(ClientSessionTest, ASessionIsRefusedWhenTheRunTrainsAnotherModel) {
  auto other = ModelSpec::Create({{"other", {5}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_OK_AND_ASSIGN(trainer.own_model, std::move(other));
  api.answers = {MakeAssignment("a1")};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kRefused);
  EXPECT_THAT(summary.reason, HasSubstr("start the client with the run's model"));
  EXPECT_EQ(api.Count("Download"), 0u);
}

TEST_F(ClientSessionTest, AFinishedAssignmentThatComesAgainIsNotTrainedAgain) {
  api.answers = {MakeAssignment("a1"), MakeAssignment("a1")};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.requests.size(), 1u);
  EXPECT_EQ(sleeper.delays.size(), 1u);
}

}  // namespace
}  // namespace thinwire
