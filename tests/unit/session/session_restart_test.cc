// A client that ends in the middle of a transfer and comes back with the same state folder.
#include "client/session/client_session.h"
#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using SessionRestartTest = SessionFixture;

TEST_F(SessionRestartTest, ADownloadGoesOnAtTheByteWhereTheOldProcessWas) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  EXPECT_EQ(RunUntilBrokenOff("Download", 7000).end, SessionEnd::kStopped);
  api.answers = {assignment};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(api.download_offsets, ElementsAre(0, 7000));
  EXPECT_EQ(api.bytes_down, assignment.model.total_size);
}

TEST_F(SessionRestartTest, AWholeDownloadIsNotFetchedAgain) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  RunUntilBrokenOff("UploadStatus", 0);
  Assignment next = assignment;
  next.id = "a2";
  api.answers = {next};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.Count("Download"), 1u);
}

TEST_F(SessionRestartTest, AnUpdateThatWasNotAcknowledgedIsSentOnWithoutTrainingAgain) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  RunUntilBrokenOff("Upload", 4000);
  ASSERT_EQ(trainer.requests.size(), 1u);
  api.answers = {assignment};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.requests.size(), 1u);
  EXPECT_THAT(api.upload_offsets, ElementsAre(0, 4000));
  EXPECT_EQ(api.bytes_up, api.uploads["a1"].size());
  EXPECT_EQ(api.upload_headers["a1"].examples, 40u);
  EXPECT_EQ(api.upload_headers["a1"].train_loss, 0.25);
  EXPECT_EQ(DecodeUpload("a1").floats[0][5], 0.5f);
}

TEST_F(SessionRestartTest, InitialWeightsThatWereNotAcknowledgedAreSentOn) {
  trainer.own_model = trainer.initial_model = model.spec;
  const Assignment assignment = MakeAssignment("init", AssignmentKind::kInitialize);
  api.answers = {assignment};
  RunUntilBrokenOff("Upload", 4000);
  trainer.error = absl::InternalError("must not be asked again");
  api.answers = {assignment};
  RunSession();
  EXPECT_THAT(api.upload_offsets, ElementsAre(0, 4000));
  EXPECT_THAT(api.failures, IsEmpty());
}

TEST_F(SessionRestartTest, AnUpdateForAnotherAssignmentIsForgotten) {
  api.answers = {MakeAssignment("a1")};
  RunUntilBrokenOff("Upload", 4000);
  api.answers = {MakeAssignment("a2")};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.requests.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto left, ListDirectory(state->upload_directory()));
  EXPECT_THAT(left, IsEmpty());
}

TEST_F(SessionRestartTest, TheSameAssignmentIdOfAnotherRunIsTrainedAnew) {
  Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  RunUntilBrokenOff("UploadStatus", 0);
  assignment.seed = 78;
  api.answers = {assignment};
  RunSession();
  EXPECT_EQ(trainer.requests.size(), 2u);
}

TEST_F(SessionRestartTest, ADamagedRecordMeansTrainingAgainNotFailing) {
  const Assignment assignment = MakeAssignment("a1");
  api.answers = {assignment};
  RunUntilBrokenOff("UploadStatus", 0);
  ASSERT_THAT(WriteFileAtomically(JoinPath(state->upload_directory(), "a1.record"), "garbage"), IsOk());
  api.answers = {assignment};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.requests.size(), 2u);
}

}  // namespace
}  // namespace thinwire
