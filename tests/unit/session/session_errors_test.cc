// What a session does about every error, call by call.
#include <tuple>

#include "client/session/client_session.h"
#include "client/session/error_policy.h"
#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;

using SessionErrorsTest = SessionFixture;

constexpr absl::StatusCode kTransient[] = {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded,
                                           absl::StatusCode::kResourceExhausted, absl::StatusCode::kUnauthenticated};

TEST(ErrorPolicyTest, TheNetworkTheServersLoadAndARotatedCertificateAreAlwaysWaitedFor) {
  for (const auto step :
       {SessionStep::kJoin, SessionStep::kAwait, SessionStep::kDownload, SessionStep::kUpload, SessionStep::kReport}) {
    for (const absl::StatusCode code : kTransient) EXPECT_EQ(RecoveryFor(step, code), Recovery::kRetry);
  }
}

TEST(ErrorPolicyTest, EveryOtherCodeHasItsPlaceInTheTable) {
  using Code = absl::StatusCode;
  using Step = SessionStep;
  const std::tuple<Step, Code, Recovery> table[] = {
      {Step::kJoin, Code::kUnimplemented, Recovery::kStop},
      {Step::kJoin, Code::kFailedPrecondition, Recovery::kStop},
      {Step::kJoin, Code::kInvalidArgument, Recovery::kStop},
      {Step::kJoin, Code::kPermissionDenied, Recovery::kStop},
      {Step::kJoin, Code::kInternal, Recovery::kRetry},
      {Step::kAwait, Code::kFailedPrecondition, Recovery::kJoin},
      {Step::kAwait, Code::kNotFound, Recovery::kJoin},
      {Step::kAwait, Code::kUnimplemented, Recovery::kStop},
      {Step::kAwait, Code::kInvalidArgument, Recovery::kStop},
      {Step::kAwait, Code::kUnknown, Recovery::kRetry},
      {Step::kDownload, Code::kFailedPrecondition, Recovery::kJoin},
      {Step::kDownload, Code::kNotFound, Recovery::kNewWork},
      {Step::kDownload, Code::kDataLoss, Recovery::kRetryFew},
      {Step::kDownload, Code::kOutOfRange, Recovery::kRetryFew},
      {Step::kDownload, Code::kInternal, Recovery::kRetryFew},
      {Step::kDownload, Code::kInvalidArgument, Recovery::kGiveUpWork},
      {Step::kDownload, Code::kUnimplemented, Recovery::kGiveUpWork},
      {Step::kUpload, Code::kFailedPrecondition, Recovery::kJoin},
      {Step::kUpload, Code::kNotFound, Recovery::kNewWork},
      {Step::kUpload, Code::kAborted, Recovery::kNewWork},
      {Step::kUpload, Code::kDataLoss, Recovery::kRetryFew},
      {Step::kUpload, Code::kInternal, Recovery::kRetryFew},
      {Step::kUpload, Code::kInvalidArgument, Recovery::kGiveUpWork},
      {Step::kUpload, Code::kUnimplemented, Recovery::kGiveUpWork},
      {Step::kReport, Code::kFailedPrecondition, Recovery::kJoin},
      {Step::kReport, Code::kInternal, Recovery::kRetryFew},
      {Step::kReport, Code::kNotFound, Recovery::kNewWork},
      {Step::kReport, Code::kInvalidArgument, Recovery::kNewWork},
  };
  for (const auto& [step, code, recovery] : table) {
    EXPECT_EQ(RecoveryFor(step, code), recovery)
        << "step " << static_cast<int>(step) << ", " << absl::StatusCodeToString(code);
  }
}

TEST_F(SessionErrorsTest, AnUnreachableServerIsTriedForEverAndTheLogSaysWhichAndWhy) {
  for (int i = 0; i < 20; ++i) Fault("Join", absl::UnavailableError("connection refused"));
  EXPECT_EQ(RunSession().end, SessionEnd::kRunCompleted);
  EXPECT_EQ(sleeper.delays.size(), 20u);
  ASSERT_EQ(observer.troubles.size(), 20u);
  EXPECT_THAT(observer.troubles[4],
              AllOf(HasSubstr("connection refused"), HasSubstr("waiting for server example:9480 to join"),
                    HasSubstr("failure 5 in a row")));
}

TEST_F(SessionErrorsTest, GivesUpAfterTheFailuresInARowThatItWasAllowed) {
  options.max_failures = 3;
  for (int i = 0; i < 9; ++i) Fault("Join", absl::UnavailableError("connection refused"));
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kGaveUp);
  EXPECT_EQ(api.Count("Join"), 4u);
  EXPECT_THAT(summary.reason, AllOf(HasSubstr("example:9480"), HasSubstr("connection refused")));
}

TEST_F(SessionErrorsTest, IsRefusedAtJoinWithTheServersWords) {
  Fault("Join", absl::UnimplementedError("the plan needs codec 9"));
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kRefused);
  EXPECT_THAT(summary.reason, HasSubstr("the plan needs codec 9"));
  EXPECT_THAT(api.calls, ElementsAre("Join"));
}

TEST_F(SessionErrorsTest, ALostAwaitJoinsAgainAfterAWait) {
  Fault("AwaitAssignment", absl::UnavailableError("reset"));
  api.answers = {MakeAssignment("a1")};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.calls, ElementsAre("Join", "AwaitAssignment", "Join", "AwaitAssignment", "Download", "UploadStatus",
                                     "Upload", "AwaitAssignment", "Leave"));
  EXPECT_EQ(sleeper.delays.size(), 1u);
}

TEST_F(SessionErrorsTest, AServerThatHasForgottenTheClientIsJoinedAtOnce) {
  Fault("AwaitAssignment", absl::FailedPreconditionError("not joined"));
  RunSession();
  EXPECT_EQ(api.Count("Join"), 2u);
  EXPECT_THAT(sleeper.delays, IsEmpty());
}

TEST_F(SessionErrorsTest, AServerThatKeepsForgettingIsNotHammered) {
  for (int i = 0; i < 6; ++i) Fault("AwaitAssignment", absl::FailedPreconditionError("not joined"));
  RunSession();
  EXPECT_EQ(sleeper.delays.size(), 5u);
}

TEST_F(SessionErrorsTest, ABrokenDownloadAsksForTheAssignmentAgainAndGoesOnAtItsByte) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment, assignment};
  Fault("Download", absl::UnavailableError("reset"), 2500);
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.calls, ElementsAre("Join", "AwaitAssignment", "Download", "Join", "AwaitAssignment", "Download",
                                     "UploadStatus", "Upload", "AwaitAssignment", "Leave"));
  EXPECT_THAT(api.download_offsets, ElementsAre(0, 2500));
  EXPECT_EQ(api.bytes_down, assignment.model.total_size);
}

TEST_F(SessionErrorsTest, AVanishedPayloadLeadsToTheNextAssignment) {
  Assignment gone = MakeAssignment("a1");
  gone.model.id.bytes[0] ^= 1;
  api.answers = {gone, MakeAssignment("a2")};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.uploads.count("a2"), 1u);
  EXPECT_THAT(api.failures, IsEmpty());
}

TEST_F(SessionErrorsTest, AnAssignmentWhosePayloadStaysAwayIsNotAskedForInATightLoop) {
  Assignment gone = MakeAssignment("a1");
  gone.model.id.bytes[0] ^= 1;
  api.answers = {gone, gone, gone, gone};
  RunSession();
  EXPECT_EQ(sleeper.delays.size(), 3u);
}

TEST_F(SessionErrorsTest, DamagedBytesAreFetchedAgainFromTheDamageOn) {
  const Assignment assignment = MakeAssignment("a1");
  std::string& bytes = api.payloads[assignment.model.id];
  const std::string whole = bytes;
  const uint64_t first_segment = assignment.model.manifest_size + kBlockValues * 4 + 16;
  bytes[first_segment + 20] ^= 1;
  api.answers = {assignment, assignment};
  sleeper.on_sleep = [&] { bytes = whole; };
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.download_offsets, ElementsAre(0, first_segment));
  EXPECT_EQ(trainer.started_from[0].floats, model.floats);
}

TEST_F(SessionErrorsTest, APayloadThatStaysDamagedIsReportedAndGivenUp) {
  const Assignment assignment = MakeAssignment("a1");
  api.payloads[assignment.model.id].back() ^= 1;
  for (int i = 0; i <= kFewRetries; ++i) api.answers.push_back(assignment);
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(api.Count("Download"), 1u + kFewRetries);
  EXPECT_THAT(api.failures["a1"], HasSubstr("hash"));
}

TEST_F(SessionErrorsTest, APayloadOfImpossibleSizeIsNotFetched) {
  Assignment assignment = MakeAssignment("a1");
  assignment.model.total_size = uint64_t{1} << 50;
  api.answers = {assignment};
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_EQ(api.Count("Download"), 0u);
  EXPECT_THAT(api.failures["a1"], HasSubstr("1125899906842624 bytes"));
}

TEST_F(SessionErrorsTest, ATrainingErrorIsReportedAndTheNextRoundGoesOn) {
  trainer.error = absl::InternalError("out of memory");
  trainer.on_train = [this](const TrainRequest&) {
    if (trainer.requests.size() == 2) trainer.error = absl::OkStatus();
  };
  api.answers = {MakeAssignment("a1"), MakeAssignment("a2")};
  const SessionSummary summary = RunSession();
  EXPECT_THAT(api.failures["a1"], HasSubstr("out of memory"));
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(summary.delivered, 1u);
}

TEST_F(SessionErrorsTest, ADivergedModelIsReportedByTensorAndNotSent) {
  trainer.step = std::numeric_limits<float>::quiet_NaN();
  api.answers = {MakeAssignment("a1")};
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_THAT(api.failures["a1"], HasSubstr("weight"));
  EXPECT_EQ(api.Count("Upload"), 0u);
}

TEST_F(SessionErrorsTest, ABrokenUploadGoesOnAtTheByteThatTheServerHolds) {
  api.answers = {MakeAssignment("a1")};
  Fault("Upload", absl::UnavailableError("reset"), 3500);
  Fault("Upload", absl::DeadlineExceededError("no byte for 30 s"), 200);
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.upload_offsets, ElementsAre(0, 3500, 3700));
  EXPECT_EQ(api.bytes_up, api.uploads["a1"].size());
  EXPECT_EQ(trainer.requests.size(), 1u);
  EXPECT_EQ(api.Count("Join"), 3u);
}

TEST_F(SessionErrorsTest, AnUploadWhoseAcknowledgementWasLostIsNotSentAgain) {
  api.answers = {MakeAssignment("a1")};
  Fault("Upload", absl::UnavailableError("reset"), 1 << 30);
  sleeper.on_sleep = [this] { api.settled["a1"] = {UpdateState::kFolded, 0, ""}; };
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.Count("Upload"), 1u);
}

TEST_F(SessionErrorsTest, AnOffsetThatTheServerDoesNotHoldIsAskedForAgain) {
  api.answers = {MakeAssignment("a1")};
  Fault("Upload", absl::FailedPreconditionError("offset 0, but 10 bytes are held"));
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.Count("UploadStatus"), 2u);
  EXPECT_EQ(api.Count("Join"), 1u);
}

TEST_F(SessionErrorsTest, AnUploadToAServerThatHasForgottenTheClientJoinsFirst) {
  api.answers = {MakeAssignment("a1")};
  Fault("UploadStatus", absl::FailedPreconditionError("not joined"));
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.calls, ElementsAre("Join", "AwaitAssignment", "Download", "UploadStatus", "Join", "UploadStatus",
                                     "Upload", "AwaitAssignment", "Leave"));
}

TEST_F(SessionErrorsTest, AServerThatRefusesItsOwnOffsetsIsGivenUpAtLast) {
  api.answers = {MakeAssignment("a1")};
  for (int i = 0; i < 100; ++i) Fault("Upload", absl::FailedPreconditionError("no"));
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_THAT(api.failures["a1"], HasSubstr("refused the offset"));
}

TEST_F(SessionErrorsTest, DamageInTransitIsSentAgainOnce) {
  api.answers = {MakeAssignment("a1")};
  Fault("Upload", absl::DataLossError("checksum"));
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(sleeper.delays, IsEmpty());
}

TEST_F(SessionErrorsTest, ARefusedUploadIsReportedAndDropped) {
  api.answers = {MakeAssignment("a1"), MakeAssignment("a2")};
  Fault("Upload", absl::InvalidArgumentError("tensor 'weight' has another shape"));
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(summary.delivered, 1u);
  EXPECT_THAT(observer.troubles, Contains(HasSubstr("another shape")));
}

TEST_F(SessionErrorsTest, ALateUploadIsDroppedWithoutAFailureReport) {
  for (const absl::Status& late : {absl::AbortedError("round 3 is over"), absl::NotFoundError("unknown assignment")}) {
    api.answers.push_back(MakeAssignment(absl::StatusCodeToString(late.code())));
    Fault("Upload", late);
  }
  EXPECT_EQ(RunSession().failed, 2u);
  EXPECT_THAT(api.failures, IsEmpty());
  EXPECT_EQ(api.Count("AwaitAssignment"), 3u);
}

TEST_F(SessionErrorsTest, AnUploadOverTheServersLimitWaitsWithinTheWindow) {
  api.answers = {MakeAssignment("a1")};
  Fault("Upload", absl::ResourceExhaustedError("too many uploads at once"));
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(sleeper.delays, ElementsAre(AllOf(Ge(absl::Milliseconds(200)), Le(absl::Milliseconds(400)))));
}

TEST_F(SessionErrorsTest, VerdictsEndAnUploadBeforeItsBytesAreSpent) {
  int n = 0;
  for (const UpdateState verdict :
       {UpdateState::kReceived, UpdateState::kFolded, UpdateState::kDiscarded, UpdateState::kFailed}) {
    const std::string id = "a" + std::to_string(++n);
    api.answers.push_back(MakeAssignment(id));
    api.settled[id] = {verdict, 0, "because"};
  }
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.delivered, 3u);
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(api.Count("Upload"), 0u);
  EXPECT_THAT(observer.troubles,
              ElementsAre(HasSubstr("discarded the update: because"), HasSubstr("refused the update: because")));
}

TEST_F(SessionErrorsTest, ALostEvaluationReportIsSentAgain) {
  api.answers = {MakeAssignment("e1", AssignmentKind::kEvaluate)};
  Fault("ReportEvaluation", absl::UnavailableError("reset"));
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.started_from.size(), 1u);
  EXPECT_EQ(api.evaluations.count("e1"), 1u);
}

TEST_F(SessionErrorsTest, AnEvaluationThatNobodyWantsIsDropped) {
  api.answers = {MakeAssignment("e1", AssignmentKind::kEvaluate)};
  Fault("ReportEvaluation", absl::NotFoundError("unknown assignment"));
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_THAT(api.failures, IsEmpty());
}

TEST_F(SessionErrorsTest, AFailureReportSurvivesABreakToo) {
  trainer.error = absl::InternalError("out of memory");
  api.answers = {MakeAssignment("a1")};
  Fault("ReportFailure", absl::UnavailableError("reset"));
  RunSession();
  EXPECT_THAT(api.failures["a1"], HasSubstr("out of memory"));
}

}  // namespace
}  // namespace thinwire
