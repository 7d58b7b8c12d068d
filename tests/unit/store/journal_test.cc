#include "server/store/journal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "server/store/fail_point.h"
#include "server/store/sqlite.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

AssignmentRecord Assignment(const std::string& id, uint32_t round = 1, WorkKind kind = WorkKind::kTrain) {
  AssignmentRecord record;
  record.id = id;
  record.client = "client-" + id;
  record.kind = kind;
  record.round = round;
  record.version = 3;
  return record;
}

UpdateRow Update(const std::string& id, const std::string& content = "payload") {
  UpdateRow row;
  row.assignment.id = id;
  row.payload = {Sha256(content), 5000, 136};
  row.spool_file = id + ".update";
  row.examples = 60;
  row.train_loss = 0.25;
  row.train_time = absl::Milliseconds(1500);
  return row;
}

VersionRow Version(uint64_t version) {
  VersionRow row;
  row.version = version;
  row.round = static_cast<uint32_t>(version);
  row.weights_file = absl::StrCat("v", version, ".safetensors");
  row.downlink_file = absl::StrCat("v", version, ".payload");
  row.downlink = {Sha256(absl::StrCat("down", version)), 4000, 136};
  row.weights_sha256 = Sha256(absl::StrCat("weights", version));
  row.state_sha256 = Sha256("state");
  row.state_file = "s";
  row.fp32_downlink_size = 9000;
  return row;
}

RoundRow Round(uint32_t round, RoundState state) {
  RoundRow row;
  row.round = round;
  row.base_version = 3;
  row.state = state;
  row.fixed_point = std::string("\0\1\2", 3);
  row.time_left = absl::Seconds(41);
  row.started_at = absl::FromUnixSeconds(1700000000);
  row.duration = absl::Milliseconds(77);
  row.counters = {8, 1, 2, 3, 1, 1, 0};
  row.train_loss = 1.5;
  row.traffic = "traffic";
  row.reason = "why";
  return row;
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { Reopen(); }

  void Reopen() {
    journal_.reset();
    absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path());
    ASSERT_THAT(journal, IsOk());
    journal_ = *std::move(journal);
  }
  std::string path() const { return JoinPath(directory_.path(), "journal.db"); }
  AssignmentState StateOf(const std::string& id) { return (*journal_->FindAssignment(id))->assignment.state; }

  // Runs `body` on the journal in a process of its own that dies, by `body`'s fail point or after it; then reopens.
  template <typename Body>
  void DieAfter(const std::string& fail_point, const Body& body) {
    journal_.reset();
    const pid_t child = fork();
    if (child == 0) {
      absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path());
      if (!journal.ok() || !ArmFailPoint(fail_point).ok()) _exit(1);
      body(**journal);
      _exit(2);  // the fail point was not passed
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "exit status " << status;
    Reopen();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalTest, TheRunSurvives) {
  EXPECT_THAT(journal_->LoadRun(), IsOkAndHolds(testing::Eq(std::nullopt)));
  RunRow run;
  run.name = "demo";
  run.seed = ~uint64_t{0};
  run.state = RunState::kRunning;
  run.reason = "none";
  run.model_spec = std::string("\0spec", 5);
  run.plan = "plan";
  run.started_at = absl::FromUnixNanos(1700000000123456789);
  run.exported_path = "x";
  ASSERT_THAT(journal_->SaveRun(run), IsOk());
  run.state = RunState::kCompleted;
  ASSERT_THAT(journal_->SaveRun(run), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::optional<RunRow> loaded, journal_->LoadRun());
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->name, "demo");
  EXPECT_EQ(loaded->seed, ~uint64_t{0});
  EXPECT_EQ(loaded->state, RunState::kCompleted);
  EXPECT_EQ(loaded->reason, "none");
  EXPECT_EQ(loaded->model_spec, run.model_spec);
  EXPECT_EQ(loaded->plan, "plan");
  EXPECT_EQ(loaded->started_at, run.started_at);
  EXPECT_EQ(loaded->exported_path, "x");
}

TEST_F(JournalTest, RoundsSurviveWithEveryField) {
  RoundRow row = Round(7, RoundState::kTraining);
  ASSERT_THAT(journal_->PutRound(row), IsOk());
  ASSERT_THAT(journal_->PutRound(Round(5, RoundState::kPublished)), IsOk());
  row.time_left = absl::Seconds(12);
  ASSERT_THAT(journal_->PutRound(row), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::optional<RoundRow> last, journal_->LastRound());
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->round, 7u);
  EXPECT_EQ(last->base_version, 3u);
  EXPECT_EQ(last->state, RoundState::kTraining);
  EXPECT_EQ(last->fixed_point, row.fixed_point);
  EXPECT_EQ(last->time_left, absl::Seconds(12));
  EXPECT_EQ(last->started_at, row.started_at);
  EXPECT_EQ(last->duration, row.duration);
  EXPECT_EQ(last->version, std::nullopt);
  EXPECT_EQ(last->counters.invited, 8u);
  EXPECT_EQ(last->counters.folding, 2u);
  EXPECT_EQ(last->counters.discarded, 0u);
  EXPECT_EQ(last->train_loss, 1.5);
  EXPECT_EQ(last->traffic, "traffic");
  EXPECT_EQ(last->reason, "why");
  ASSERT_OK_AND_ASSIGN(const std::vector<RoundRow> rounds, journal_->Rounds(1, 10));
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(rounds[0].round, 5u);
  ASSERT_OK_AND_ASSIGN(const std::vector<RoundRow> one, journal_->Rounds(1, 1));
  EXPECT_EQ(one.size(), 1u);
}

TEST_F(JournalTest, ACheckpointThatComesTooLateDoesNotReopenAClosedRound) {
  for (const RoundState closed : {RoundState::kPublished, RoundState::kFailed}) {
    const uint32_t number = closed == RoundState::kPublished ? 1 : 2;
    ASSERT_THAT(journal_->PutRound(Round(number, RoundState::kTraining)), IsOk());
    ASSERT_THAT(journal_->PutRound(Round(number, closed)), IsOk());
    ASSERT_THAT(journal_->PutRound(Round(number, RoundState::kClosing)), IsOk());
    RoundRow amended = Round(number, closed);
    amended.traffic = "more traffic";
    ASSERT_THAT(journal_->PutRound(amended), IsOk());
    ASSERT_OK_AND_ASSIGN(const std::optional<RoundRow> last, journal_->LastRound());
    EXPECT_EQ(last->state, closed);
    EXPECT_EQ(last->traffic, "more traffic");
  }
}

TEST_F(JournalTest, InfiniteTimesAndLossesThatAreNoNumbersSurvive) {
  RoundRow row = Round(1, RoundState::kInviting);
  row.time_left = absl::InfiniteDuration();
  row.train_loss = std::nan("");
  ASSERT_THAT(journal_->PutRound(row), IsOk());
  row.round = 2;
  row.train_loss = std::numeric_limits<double>::infinity();
  ASSERT_THAT(journal_->PutRound(row), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<RoundRow> rounds, journal_->Rounds(0, 10));
  EXPECT_EQ(rounds[0].time_left, absl::InfiniteDuration());
  EXPECT_TRUE(std::isnan(rounds[0].train_loss));
  EXPECT_TRUE(std::isinf(rounds[1].train_loss));
}

TEST_F(JournalTest, AnUpdateIsUniqueOnItsAssignment) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a"), Assignment("b")}), IsOk());
  ASSERT_OK_AND_ASSIGN(const UpdateRow first, journal_->ReceiveUpdate(Update("a", "first")));
  EXPECT_EQ(first.assignment.state, AssignmentState::kReceived);
  EXPECT_EQ(first.assignment.client, "client-a");
  ASSERT_OK_AND_ASSIGN(const UpdateRow second, journal_->ReceiveUpdate(Update("a", "second")));
  EXPECT_EQ(second.payload.id, Sha256("first")) << "the first complete payload wins";
  EXPECT_THAT(journal_->ReceiveUpdate(Update("unknown")), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(JournalTest, AnUpdateThatComesTooLateChangesNothing) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());
  ASSERT_THAT(journal_->SetAssignmentState("a", AssignmentState::kDropped, "deadline"), IsOk());
  ASSERT_OK_AND_ASSIGN(const UpdateRow row, journal_->ReceiveUpdate(Update("a")));
  EXPECT_EQ(row.assignment.state, AssignmentState::kDropped);
  EXPECT_EQ(row.assignment.reason, "deadline");
  EXPECT_TRUE(row.payload.id.empty());
}

TEST_F(JournalTest, WhatWasReceivedIsNotSettledAsUnreceived) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a"), Assignment("b")}), IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("a")), IsOk());
  ASSERT_OK_AND_ASSIGN(const UpdateRow a, journal_->SettleUnreceived("a", AssignmentState::kDropped, "gone"));
  EXPECT_EQ(a.assignment.state, AssignmentState::kReceived);
  ASSERT_OK_AND_ASSIGN(const UpdateRow b, journal_->SettleUnreceived("b", AssignmentState::kDropped, "gone"));
  EXPECT_EQ(b.assignment.state, AssignmentState::kDropped);
  EXPECT_EQ(StateOf("b"), AssignmentState::kDropped);
  EXPECT_THAT(journal_->SettleUnreceived("c", AssignmentState::kDropped, ""), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(journal_->SetAssignmentState("c", AssignmentState::kDropped, ""), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(JournalTest, AssignmentsComeBackInTheOrderOfReceipt) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a"), Assignment("b"), Assignment("c"), Assignment("other", 2)}),
              IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("c")), IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("b")), IsOk());
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());  // again
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::vector<UpdateRow> rows, journal_->AssignmentsOf(1));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].assignment.id, "c");
  EXPECT_EQ(rows[1].assignment.id, "b");
  EXPECT_EQ(rows[2].assignment.id, "a");
  EXPECT_EQ(rows[0].payload, Update("c").payload);
  EXPECT_EQ(rows[0].spool_file, "c.update");
  EXPECT_EQ(rows[0].examples, 60u);
  EXPECT_EQ(rows[0].train_loss, 0.25);
  EXPECT_EQ(rows[0].train_time, absl::Milliseconds(1500));
  EXPECT_EQ(rows[2].train_loss, 0);
}

TEST_F(JournalTest, GrantsAndWhatClientsSayOfTheirCodingAreKept) {
  AssignmentRecord granted = Assignment("a");
  granted.upload_bits = ~uint64_t{0};
  ASSERT_THAT(journal_->PutAssignments({granted, Assignment("b")}), IsOk());
  UpdateRow update = Update("a");
  update.coding.time = absl::Milliseconds(40);
  update.coding.distortion = 0.125;
  update.coding.unsent_norm = 3.5;
  ASSERT_THAT(journal_->ReceiveUpdate(update), IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("b")), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const std::vector<UpdateRow> rows, journal_->AssignmentsOf(1));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].assignment.upload_bits, ~uint64_t{0});
  EXPECT_EQ(rows[0].coding.time, absl::Milliseconds(40));
  EXPECT_EQ(rows[0].coding.distortion, 0.125);
  EXPECT_EQ(rows[0].coding.weighted_distortion, std::nullopt);
  EXPECT_EQ(rows[0].coding.unsent_norm, 3.5);
  EXPECT_EQ(rows[1].assignment.upload_bits, 0u);
  EXPECT_EQ(rows[1].coding.distortion, std::nullopt);
}

TEST_F(JournalTest, WorkOutsideRoundsIsFoundUntilItEnds) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("t"), Assignment("e", 0, WorkKind::kEvaluate),
                                        Assignment("i", 0, WorkKind::kInitialize)}),
              IsOk());
  ASSERT_OK_AND_ASSIGN(std::vector<UpdateRow> open, journal_->OpenAssignmentsOutsideRounds());
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[0].assignment.id, "e");
  ASSERT_THAT(journal_->ReceiveUpdate(Update("i")), IsOk());
  ASSERT_THAT(journal_->SetAssignmentState("e", AssignmentState::kFolded, ""), IsOk());
  ASSERT_OK_AND_ASSIGN(open, journal_->OpenAssignmentsOutsideRounds());
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].assignment.state, AssignmentState::kReceived);
}

TEST_F(JournalTest, PublishingIsAllOrNothing) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a"), Assignment("b")}), IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("a")), IsOk());
  ASSERT_THAT(journal_->Publish(Version(3), std::nullopt, {}), IsOk());
  const RoundRow closed = Round(4, RoundState::kPublished);
  EXPECT_THAT(journal_->Publish(Version(4), closed, {"a", "b"}, {3}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'b'")));
  EXPECT_EQ(StateOf("a"), AssignmentState::kReceived);
  EXPECT_THAT(journal_->LastRound(), IsOkAndHolds(testing::Eq(std::nullopt)));
  EXPECT_EQ((*journal_->LatestVersion())->version, 3u);

  ASSERT_THAT(journal_->Publish(Version(4), closed, {"a"}, {3}), IsOk());
  Reopen();
  EXPECT_EQ(StateOf("a"), AssignmentState::kFolded);
  ASSERT_OK_AND_ASSIGN(const std::optional<VersionRow> latest, journal_->LatestVersion());
  EXPECT_EQ(latest->version, 4u);
  EXPECT_EQ(latest->downlink, Version(4).downlink);
  EXPECT_EQ(latest->weights_sha256, Version(4).weights_sha256);
  EXPECT_EQ(latest->state_sha256, Version(4).state_sha256);
  EXPECT_EQ(latest->weights_file, "v4.safetensors");
  EXPECT_EQ(latest->fp32_downlink_size, 9000u);
  EXPECT_THAT(journal_->FindVersion(3), IsOkAndHolds(testing::Eq(std::nullopt)));
  EXPECT_EQ((*journal_->Versions()).size(), 1u);
}

TEST_F(JournalTest, ARevokedVersionTakesItsEvaluationsAndFailsItsRound) {
  RoundRow round = Round(4, RoundState::kPublished);
  round.version = 4;
  ASSERT_THAT(journal_->Publish(Version(3), std::nullopt, {}), IsOk());
  ASSERT_THAT(journal_->Publish(Version(4), round, {}), IsOk());
  ASSERT_THAT(journal_->PutEvaluation({4, "e", 10, 1, 0.5}), IsOk());
  ASSERT_THAT(journal_->RevokeVersion(4, "damaged"), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::optional<RoundRow> last, journal_->LastRound());
  EXPECT_EQ(last->state, RoundState::kFailed);
  EXPECT_EQ(last->reason, "damaged");
  EXPECT_EQ(last->version, std::nullopt);
  EXPECT_EQ((*journal_->LatestVersion())->version, 3u);
  EXPECT_THAT(journal_->FindEvaluation(4), IsOkAndHolds(testing::Eq(std::nullopt)));
}

TEST_F(JournalTest, ARevokedVersionFailsTheOpenRoundThatStartedFromIt) {
  RoundRow made = Round(4, RoundState::kPublished);
  made.version = 4;
  ASSERT_THAT(journal_->Publish(Version(3), std::nullopt, {}), IsOk());
  ASSERT_THAT(journal_->Publish(Version(4), made, {}), IsOk());
  RoundRow open = Round(5, RoundState::kTraining);
  open.base_version = 4;
  ASSERT_THAT(journal_->PutRound(open), IsOk());
  ASSERT_THAT(journal_->RevokeVersion(4, "damaged"), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::optional<RoundRow> last, journal_->LastRound());
  EXPECT_EQ(last->round, 5u);
  EXPECT_EQ(last->state, RoundState::kFailed);
  EXPECT_THAT(last->reason, HasSubstr("a version that is gone: damaged"));
}

TEST_F(JournalTest, EvaluationsAreOnePerClientAndWeightedByExamples) {
  ASSERT_THAT(journal_->PutEvaluation({1, "a", 100, 2.0, 0.5}), IsOk());
  ASSERT_THAT(journal_->PutEvaluation({1, "a", 999, 9.0, 0.9}), IsOk());
  ASSERT_OK_AND_ASSIGN(std::optional<EvaluationRow> row, journal_->FindEvaluation(1));
  EXPECT_EQ(row->client, "a");
  EXPECT_EQ(row->accuracy, 0.5);
  ASSERT_THAT(journal_->PutEvaluation({1, "b", 300, 1.0, 0.75}), IsOk());
  ASSERT_OK_AND_ASSIGN(row, journal_->FindEvaluation(1));
  EXPECT_EQ(row->examples, 400u);
  EXPECT_EQ(row->loss, 1.25);
  EXPECT_EQ(row->accuracy, 0.6875);
  EXPECT_EQ(row->client, "");
}

TEST_F(JournalTest, ConcurrentReceiptsAreAllKeptAndNumberedOnce) {
  constexpr int kClients = 40;
  std::vector<AssignmentRecord> assignments;
  for (int i = 0; i < kClients; ++i) assignments.push_back(Assignment(absl::StrCat("c", i)));
  ASSERT_THAT(journal_->PutAssignments(assignments), IsOk());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kClients; i += 4) EXPECT_THAT(journal_->ReceiveUpdate(Update(absl::StrCat("c", i))), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const std::vector<UpdateRow> rows, journal_->AssignmentsOf(1));
  for (const UpdateRow& row : rows) EXPECT_EQ(row.assignment.state, AssignmentState::kReceived);
  EXPECT_EQ(rows.size(), static_cast<size_t>(kClients));
}

TEST_F(JournalTest, AReceiptKilledBeforeItsCommitNeverHappened) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());
  DieAfter("before-receive-commit", [](Journal& journal) { journal.ReceiveUpdate(Update("a")).IgnoreError(); });
  EXPECT_EQ(StateOf("a"), AssignmentState::kTraining);
}

TEST_F(JournalTest, AReceiptKilledAfterItsCommitStands) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());
  DieAfter("after-receive-commit", [](Journal& journal) { journal.ReceiveUpdate(Update("a")).IgnoreError(); });
  EXPECT_EQ(StateOf("a"), AssignmentState::kReceived);
}

TEST_F(JournalTest, APublicationKilledBeforeItsCommitLeavesTheUpdatesToFoldAgain) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());
  ASSERT_THAT(journal_->ReceiveUpdate(Update("a")), IsOk());
  const auto publish = [](Journal& journal) {
    journal.Publish(Version(4), Round(4, RoundState::kPublished), {"a"}).IgnoreError();
  };
  DieAfter("before-publish-commit", publish);
  EXPECT_EQ(StateOf("a"), AssignmentState::kReceived);
  EXPECT_THAT(journal_->LatestVersion(), IsOkAndHolds(testing::Eq(std::nullopt)));
  DieAfter("after-publish-commit", publish);
  EXPECT_EQ(StateOf("a"), AssignmentState::kFolded);
  EXPECT_EQ((*journal_->LatestVersion())->version, 4u);
  EXPECT_EQ((*journal_->LastRound())->state, RoundState::kPublished);
}

TEST_F(JournalTest, TwoProcessesCannotShareAState) {
  EXPECT_THAT(Journal::Open(path()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(absl::StrCat("process ", getpid(), " works on the same state"))));
  Reopen();
}

TEST_F(JournalTest, AJournalOfSchema1IsMigratedWithAllItHolds) {
  journal_.reset();
  const std::string old = JoinPath(directory_.path(), "old.db");
  ASSERT_OK_AND_ASSIGN(
      const std::string sql,
      ReadWholeFile(absl::StrCat(THINWIRE_SOURCE_DIR, "/tests/golden/store/journal_schema1.sql"), 1 << 20));
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db, Database::Open(old));
    ASSERT_THAT(db->Execute(sql), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(old));
  ASSERT_OK_AND_ASSIGN(const std::optional<RunRow> run, journal->LoadRun());
  EXPECT_EQ(run->name, "old");
  EXPECT_EQ(run->seed, ~uint64_t{0});
  EXPECT_EQ(run->plan, "plan");
  ASSERT_OK_AND_ASSIGN(const std::optional<VersionRow> version, journal->LatestVersion());
  EXPECT_EQ(version->weights_file, "v00000001.safetensors");
  EXPECT_TRUE(version->state_sha256.empty());
  ASSERT_OK_AND_ASSIGN(const std::vector<RoundRow> rounds, journal->Rounds(0, 10));
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(rounds[0].version, 1u);
  EXPECT_EQ(rounds[1].time_left, absl::InfiniteDuration());
  ASSERT_OK_AND_ASSIGN(const std::vector<UpdateRow> updates, journal->AssignmentsOf(2));
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].assignment.state, AssignmentState::kReceived);
  EXPECT_EQ(updates[0].examples, 60u);
  EXPECT_EQ(updates[0].assignment.upload_bits, 0u);
  EXPECT_EQ(updates[0].coding.distortion, std::nullopt);
  EXPECT_EQ(rounds[0].uploads, "");
}

TEST_F(JournalTest, AJournalOfANewerProgramIsRefused) {
  journal_.reset();
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db, Database::Open(path()));
    ASSERT_THAT(db->Execute(absl::StrCat("PRAGMA user_version = ", Journal::kSchemaVersion + 1)), IsOk());
  }
  EXPECT_THAT(Journal::Open(path()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer")));
}

TEST_F(JournalTest, AFileThatIsNoDatabaseIsRefusedAndNotTouched) {
  const std::string other = JoinPath(directory_.path(), "letter.txt");
  const std::string text(5000, 'x');
  ASSERT_THAT(WriteFileAtomically(other, text), IsOk());
  EXPECT_THAT(Journal::Open(other), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("letter.txt")));
  EXPECT_THAT(ReadWholeFile(other, 10000), IsOkAndHolds(text));
}

TEST_F(JournalTest, ADamagedJournalIsRefused) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(journal_->PutAssignments({Assignment(absl::StrCat("a", i))}), IsOk());
  }
  journal_.reset();  // the last connection moves everything into the main file
  ASSERT_OK_AND_ASSIGN(File file, File::OpenForUpdate(path()));
  ASSERT_OK_AND_ASSIGN(const uint64_t size, file.Size());
  ASSERT_GT(size, 3 * 4096u);
  for (uint64_t page = 1; page < size / 4096; ++page) {
    ASSERT_THAT(file.WriteAt(page * 4096, std::string(2000, '\xee')), IsOk());
  }
  EXPECT_THAT(Journal::Open(path()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("journal.db")));
}

TEST_F(JournalTest, ARowThatMakesNoSenseIsReportedAsDamage) {
  ASSERT_THAT(journal_->PutAssignments({Assignment("a")}), IsOk());
  journal_.reset();
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db, Database::Open(path()));
    ASSERT_THAT(db->Execute("UPDATE assignments SET state = 77"), IsOk());
  }
  Reopen();
  EXPECT_THAT(journal_->FindAssignment("a"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("assignments")));
}

TEST_F(JournalTest, AFolderThatIsNotThereIsNamed) {
  EXPECT_THAT(Journal::Open("/nowhere/journal.db"),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("/nowhere/journal.db")));
}

}  // namespace
}  // namespace thinwire
