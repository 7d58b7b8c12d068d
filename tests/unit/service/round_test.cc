// Whole rounds through a real server: what clients send is what the model becomes, and every byte is counted.
#include <gmock/gmock.h>

#include "common/wire/convert.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

class RoundTest : public ServerFixture {
 protected:
  // Joins, takes work, checks that the model is all `expected`, sends m - R = `delta` in every trainable value, and
  // `delta` + 1 in the float buffer.
  void TrainOnce(TestClient* client, float delta, uint64_t examples) {
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, client->AwaitWork());
    ASSERT_EQ(work.kind(), v1::ASSIGNMENT_KIND_TRAIN);
    ASSERT_OK_AND_ASSIGN(const std::string model, client->Download(work.model()));
    ASSERT_EQ(model.size(), work.model().total_size());
    ModelState update = FilledState(SmallModel(), delta);
    std::fill(update.floats[2].begin(), update.floats[2].end(), 1 + delta);
    std::fill(update.ints[3].begin(), update.ints[3].end(), static_cast<int64_t>(examples));
    ASSERT_OK_AND_ASSIGN(const v1::UploadResponse receipt, client->Upload(work, Encode(update, work), examples));
    ASSERT_EQ(receipt.state(), v1::UPDATE_STATE_RECEIVED) << receipt.reason();
  }
};

TEST_F(RoundTest, TheNewModelIsTheMeanOfTheUpdatesWeightedByExamples) {
  Start("round { clients: 2 }");
  TestClient a = Client("a");
  TestClient b = Client("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  std::thread other([&] { TrainOnce(&b, 3, 9); });
  TrainOnce(&a, 1, 3);
  other.join();

  const v1::Status done = WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  EXPECT_EQ(done.version(), 1u);
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_THAT(model.floats[0], Each(1 + 2.5f));  // (3 * 1 + 9 * 3) / 12
  EXPECT_THAT(model.floats[1], Each(1 + 2.5f));
  EXPECT_THAT(model.floats[2], Each(1 + 2.5f));
  EXPECT_THAT(model.ints[3], Each(9));  // the maximum
  EXPECT_THAT(HttpGet("/metrics"), AllOf(HasSubstr("thinwire_encode_seconds_count 1"),
                                         HasSubstr("thinwire_payload_bits_per_parameter{direction=\"down\"} 32.0")));
}

TEST_F(RoundTest, ClientsThatDoNotMoveLeaveEveryBitOfTheModel) {
  Start();
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  ModelState update = FilledState(SmallModel(), 0);
  std::fill(update.floats[2].begin(), update.floats[2].end(), 1);
  ASSERT_THAT(a.Upload(work, Encode(update, work)), IsOk());
  WaitFor([](const v1::Status& s) { return s.version() == 1; });
  ASSERT_OK_AND_ASSIGN(const ModelState before, Export(0));
  ASSERT_OK_AND_ASSIGN(const ModelState after, Export(1));
  EXPECT_EQ(before.floats, after.floats);
  EXPECT_EQ(before.ints, after.ints);
}

TEST_F(RoundTest, ClientsLearnThatTheRunIsOverAndTheModelIsExported) {
  Start("round { clients: 1 } run { rounds: 2 }");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  for (int round = 0; round < 2; ++round) TrainOnce(&a, 1, 1);
  ASSERT_OK_AND_ASSIGN(const v1::AwaitAssignmentResponse end, a.Await());
  EXPECT_EQ(end.run_ended().state(), "COMPLETED");
  const v1::Status done = WaitFor([](const v1::Status& s) { return !s.model_path().empty(); });
  EXPECT_TRUE(FileExists(done.model_path())) << done.model_path();
  EXPECT_EQ(done.state(), v1::RUN_STATE_COMPLETED);

  // Whoever comes later learns it too.
  TestClient late = Client("late");
  ASSERT_THAT(late.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::AwaitAssignmentResponse same, late.Await());
  EXPECT_EQ(same.run_ended().state(), "COMPLETED");
}

TEST_F(RoundTest, EveryByteIsCountedByRoleAndDirection) {
  Start("run { rounds: 2 }");
  TestClient a = Client("a");
  TestClient e = Client("e");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  ASSERT_OK_AND_ASSIGN(const std::string model, a.Download(work.model()));
  ASSERT_OK_AND_ASSIGN(const std::string tail, a.Download(work.model(), 1000));
  ASSERT_OK_AND_ASSIGN(const std::string looked, e.Download(work.model()));
  EXPECT_EQ(tail, model.substr(1000));
  const PayloadBytes update = Encode(FilledState(SmallModel(), 0), work);
  ASSERT_THAT(a.Upload(work, update), IsOk());
  WaitFor([](const v1::Status& s) { return s.round() == 2; });

  const v1::Status status = GetStatus();
  const v1::Traffic& trainer = status.trainer_traffic();
  const uint64_t fp32 = *MaxPayloadSize(SmallModel(), Representation::kModel, CodecSpec::Fp32());
  EXPECT_EQ(trainer.down().payload_bytes(), model.size() + tail.size());
  EXPECT_EQ(trainer.down().fp32_payload_bytes(), 2 * fp32);
  EXPECT_GT(trainer.down().message_bytes(), trainer.down().payload_bytes());
  EXPECT_EQ(trainer.up().payload_bytes(), update.bytes.size());
  EXPECT_GT(trainer.up().message_bytes(), trainer.up().payload_bytes());
  EXPECT_EQ(status.evaluator_traffic().down().payload_bytes(), looked.size());
  EXPECT_EQ(status.evaluator_traffic().up().payload_bytes(), 0u);

  const v1::ListRoundsResponse rounds = ListRounds();
  ASSERT_EQ(rounds.rounds_size(), 1);
  EXPECT_EQ(rounds.rounds(0).trainer_traffic().up().payload_bytes(), update.bytes.size());
  EXPECT_EQ(rounds.rounds(0).evaluator_traffic().down().payload_bytes(), looked.size());
  EXPECT_EQ(rounds.rounds(0).counters().folded(), 1u);
  EXPECT_EQ(rounds.rounds(0).train_loss(), 0.5);
}

TEST_F(RoundTest, EvaluationsReachTheStatusAndTheRounds) {
  Start("evaluation { every: 1 }");
  TestClient a = Client("a");
  TestClient e = Client("e");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  for (int version = 0; version < 2; ++version) {
    if (version == 1) TrainOnce(&a, 1, 1);
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, e.AwaitWork());
    EXPECT_EQ(work.kind(), v1::ASSIGNMENT_KIND_EVALUATE);
    EXPECT_EQ(work.version(), static_cast<uint64_t>(version));
    ASSERT_THAT(e.Download(work.model()), IsOk());
    ASSERT_THAT(e.ReportEvaluation(work.assignment_id(), 0.5 + 0.25 * version, 1.5), IsOk());
    ASSERT_THAT(e.ReportEvaluation(work.assignment_id(), 0.1, 9), IsOk());  // told before: changes nothing
  }
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  EXPECT_EQ(status.accuracy(), 0.75);
  EXPECT_EQ(status.accuracy_version(), 1u);
  EXPECT_EQ(ListRounds().rounds(0).accuracy(), 0.75);
}

TEST_F(RoundTest, AnEvaluationOutOfRangeIsRefusedAndNotWaitedFor) {
  Start("evaluation { every: 1 final_wait { seconds: 30 } }");
  TestClient e = Client("e");
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, e.AwaitWork());
  EXPECT_THAT(e.ReportEvaluation(work.assignment_id(), 1.5, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("1.5"), HasSubstr("0..1"))));
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.refusals_size() > 0; });
  EXPECT_FALSE(status.has_accuracy());
}

TEST_F(RoundTest, TheFirstTrainerWithAModelGivesTheInitialWeights) {
  model_config_ = "from_client_seed: 77";
  Start();
  // This one has no model: it cannot be asked, and gets work once there is one.
  TestClient echo = Client("echo");
  ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, echo.Join());
  EXPECT_FALSE(joined.has_model());
  absl::StatusOr<v1::Assignment> first_work = absl::InternalError("none");
  std::thread waiting([&] { first_work = echo.AwaitWork(); });

  TestClient a = Client("a");
  v1::JoinRequest request = a.JoinRequest();
  *request.mutable_model() = ToProto(SmallModel());
  ASSERT_THAT(a.Join(request), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  EXPECT_EQ(work.kind(), v1::ASSIGNMENT_KIND_INITIALIZE);
  EXPECT_EQ(work.seed(), 77u);
  const PayloadBytes weights = Encode(FilledState(SmallModel(), 4), work, Representation::kModel);
  ASSERT_THAT(a.Upload(work, weights), IsOk());

  waiting.join();
  ASSERT_THAT(first_work, IsOk());
  EXPECT_EQ(first_work->kind(), v1::ASSIGNMENT_KIND_TRAIN);
  EXPECT_TRUE(FromProto(first_work->spec())->id() == SmallModel().id());
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export(0));
  EXPECT_THAT(model.floats[0], Each(4));
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse status, a.UploadStatus(work.assignment_id(), weights.ref.id));
  EXPECT_EQ(status.state(), v1::UPDATE_STATE_FOLDED);
}

TEST_F(RoundTest, WhatTheServerWaitsForIsInStatusAndMetrics) {
  Start("round { clients: 2 }");
  EXPECT_THAT(GetStatus().waiting_for(), HasSubstr("0 of 2"));
  TestClient a = Client("a");
  TestClient b = Client("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  std::thread other([&] { EXPECT_THAT(b.AwaitWork(), IsOk()); });
  TrainOnce(&a, 1, 3);
  other.join();
  WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
  EXPECT_THAT(GetStatus().waiting_for(), AllOf(HasSubstr("1 of 2 updates"), HasSubstr("deadline in")));
  EXPECT_EQ(HttpGet("/healthz"), "200 ok\n");
  EXPECT_EQ(HttpGet("/readyz"), "200 ok\n");
  EXPECT_THAT(
      HttpGet("/metrics"),
      AllOf(HasSubstr("thinwire_updates_wanted 2"), HasSubstr("thinwire_updates_received 1"),
            HasSubstr("thinwire_clients{role=\"trainer\"} 2"), HasSubstr("thinwire_run_state{state=\"running\"} 1"),
            HasSubstr("thinwire_payload_bytes_total{direction=\"up\",role=\"trainer\"}"),
            HasSubstr("thinwire_payload_bits_per_parameter{direction=\"up\"} 32.0"),
            HasSubstr("thinwire_fold_seconds_count 1")));
}

}  // namespace
}  // namespace thinwire
