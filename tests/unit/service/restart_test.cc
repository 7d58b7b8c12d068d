// A server that ends and comes back over the same state directory goes on where it stood.
#include <gmock/gmock.h>

#include "common/base/file.h"
#include "common/wire/convert.h"
#include "server/store/journal.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

class RestartTest : public ServerFixture {};

TEST_F(RestartTest, TheSameRoundGoesOnAndNoUpdateIsLostOrCountedTwice) {
  const std::string config = "round { clients: 2 }";
  Start(config);
  v1::Assignment work_a;
  v1::Assignment work_b;
  PayloadBytes update_b;
  {
    TestClient a = Client("a");
    TestClient b = Client("b");
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    AwaitBoth(&a, &b, &work_a, &work_b);
    ASSERT_THAT(a.Upload(work_a, Encode(FilledState(SmallModel(), 2), work_a)), IsOk());
    WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
    update_b = Encode(FilledState(SmallModel(), 4), work_b);
    EXPECT_FALSE(b.Upload(b.Header(work_b, update_b.ref), update_b.bytes, 100'000).ok());
  }
  const uint64_t sent = GetStatus().trainer_traffic().up().payload_bytes();
  Stop();

  Start(config);
  const v1::Status resumed = WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
  EXPECT_EQ(resumed.round(), 1u);
  EXPECT_EQ(resumed.trainer_traffic().up().payload_bytes(), sent);
  TestClient b = Client("b");
  EXPECT_THAT(b.Await(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("call Join")));
  ASSERT_THAT(b.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment same, b.AwaitWork());
  EXPECT_EQ(same.assignment_id(), work_b.assignment_id());
  EXPECT_EQ(same.seed(), work_b.seed());
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse partial, b.UploadStatus(same.assignment_id(), update_b.ref.id));
  EXPECT_EQ(partial.received_bytes(), 100'000u);
  v1::UploadHeader header = b.Header(same, update_b.ref);
  header.set_offset(100'000);
  ASSERT_THAT(b.Upload(header, update_b.bytes, update_b.bytes.size()), IsOk());

  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_THAT(model.floats[0], Each(1 + 3.0f));
}

TEST_F(RestartTest, UpdatesThatCameSinceTheLastCheckpointAreCountedAllTheSame) {
  const std::string config = "round { clients: 2 }";
  Start(config);
  uint64_t sent = 0;
  {
    TestClient a = Client("a");
    TestClient b = Client("b");
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    v1::Assignment work_a;
    v1::Assignment work_b;
    AwaitBoth(&a, &b, &work_a, &work_b);
    const PayloadBytes update = Encode(FilledState(SmallModel(), 2), work_a);
    sent = update.bytes.size();
    ASSERT_THAT(a.Upload(work_a, update), IsOk());
    WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
  }
  const v1::TrafficCounters before = GetStatus().trainer_traffic().up();
  Stop();
  {  // as a kill leaves it
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(directory_.Path("state/journal.db")));
    ASSERT_OK_AND_ASSIGN(std::optional<RoundRow> round, journal->LastRound());
    round->traffic.clear();
    ASSERT_THAT(journal->PutRound(*round), IsOk());
  }
  Start(config);
  const v1::TrafficCounters after = GetStatus().trainer_traffic().up();
  EXPECT_EQ(after.payload_bytes(), sent);
  EXPECT_EQ(after.payload_bytes(), before.payload_bytes());
  EXPECT_EQ(after.fp32_payload_bytes(), before.fp32_payload_bytes());
  EXPECT_EQ(after.message_bytes(), sent);
}

TEST_F(RestartTest, AnUpdateWhoseFileIsGoneIsSaidToBeLostAndTheRoundGoesOn) {
  const std::string config = "round { clients: 2 min_updates: 1 }";
  Start(config);
  v1::Assignment work_a, work_b;
  {
    TestClient a = Client("a"), b = Client("b");
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    AwaitBoth(&a, &b, &work_a, &work_b);
    ASSERT_THAT(a.Upload(work_a, Encode(FilledState(SmallModel(), 2), work_a)), IsOk());
    WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
  }
  Stop();
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> files, ListDirectory(directory_.Path("state/spool")));
  for (const std::string& file : files) ASSERT_THAT(RemoveFile(directory_.Path("state/spool/" + file)), IsOk());

  Start(config);
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.counters().failed() == 1; });
  EXPECT_EQ(status.refusals(0).reason(), "lost update");
  TestClient b = Client("b");
  ASSERT_THAT(b.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment same, b.AwaitWork());
  ASSERT_THAT(b.Upload(same, Encode(FilledState(SmallModel(), 4), same)), IsOk());
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_THAT(model.floats[0], Each(1 + 4.0f));
}

TEST_F(RestartTest, ARunThatHasEndedStaysEnded) {
  Start();
  {
    TestClient a = Client("a");
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
    ASSERT_THAT(a.Upload(work, Encode(FilledState(SmallModel(), 1), work)), IsOk());
    WaitFor([](const v1::Status& s) { return !s.model_path().empty(); });
  }
  Stop();
  Start();
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::AwaitAssignmentResponse end, a.Await());
  EXPECT_EQ(end.run_ended().state(), "COMPLETED");
  const v1::Status status = GetStatus();
  EXPECT_EQ(status.version(), 1u);
  EXPECT_FALSE(status.model_path().empty());
  EXPECT_EQ(ListRounds().rounds_size(), 1);
}

TEST_F(RestartTest, InitialWeightsThatWereBeingUploadedAreFinished) {
  model_config_ = "from_client_seed: 5";
  Start();
  v1::Assignment work;
  PayloadBytes weights;
  {
    TestClient a = Client("a");
    v1::JoinRequest request = a.JoinRequest();
    *request.mutable_model() = ToProto(SmallModel());
    ASSERT_THAT(a.Join(request), IsOk());
    ASSERT_OK_AND_ASSIGN(work, a.AwaitWork());
    weights = Encode(FilledState(SmallModel(), 6), work, Representation::kModel);
    EXPECT_FALSE(a.Upload(a.Header(work, weights.ref), weights.bytes, 50'000).ok());
  }
  Stop();
  Start();
  TestClient a = Client("a");
  v1::JoinRequest request = a.JoinRequest();
  *request.mutable_model() = ToProto(SmallModel());
  ASSERT_THAT(a.Join(request), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment same, a.AwaitWork());
  EXPECT_EQ(same.assignment_id(), work.assignment_id());
  v1::UploadHeader header = a.Header(same, weights.ref);
  header.set_offset(50'000);
  ASSERT_THAT(a.Upload(header, weights.bytes, weights.bytes.size()), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment next, a.AwaitWork());
  EXPECT_EQ(next.kind(), v1::ASSIGNMENT_KIND_TRAIN);
}

TEST_F(RestartTest, AClientThatDoesNotComeBackLosesItsPlace) {
  const std::string config =
      "round { clients: 2 min_updates: 1 } client { heartbeat_interval { nanos: 50000000 } lease { nanos: 500000000 } "
      "}";
  Start(config);
  {
    TestClient a = Client("a");
    TestClient b = Client("b");
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    std::thread waiting([&] { EXPECT_THAT(b.AwaitWork(), IsOk()); });
    ASSERT_THAT(a.AwaitWork(), IsOk());
    waiting.join();
  }
  Stop();
  Start(config);
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.refusals_size() > 0; });
  EXPECT_EQ(status.refusals(0).reason(), "lease");
}

TEST_F(RestartTest, AStateDirectoryOfAnotherRunIsRefusedWithWhatDiffers) {
  Start();
  Stop();
  EXPECT_THAT(TryStart("plan { preset: PLAN_PRESET_S1E3M7 }"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("plan"), HasSubstr("s1e3m7"))));
  EXPECT_THAT(TryStart("run { seed: 4 }"), StatusIs(absl::StatusCode::kInvalidArgument,
                                                    AllOf(HasSubstr("run.seed"), HasSubstr("'3'"), HasSubstr("'4'"))));
  EXPECT_THAT(TryStart("aggregation { fed_adam {} }"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("FedAdam")));
  EXPECT_THAT(TryStart("run { name: \"other\" }"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("run.name")));
  Start();  // nothing was harmed
}

TEST_F(RestartTest, AnotherDimensionNumberOfVectorsOrEpochIsAnotherRun) {
  const auto with = [](const std::string& subspace) {
    return absl::StrCat(
        "plan { explicit { downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { "
        "fp32 {} } } subspace { ",
        subspace, " } } }");
  };
  Start(with("dimension: 50 vectors: 2 epoch_rounds: 3"));
  Stop();
  for (const char* other : {"dimension: 51 vectors: 2 epoch_rounds: 3", "dimension: 50 epoch_rounds: 3",
                            "dimension: 50 vectors: 2 epoch_rounds: 4", "dimension: 50 vectors: 2",
                            "dimension: 50 vectors: 2 epoch_rounds: 3 block_size: 64"}) {
    EXPECT_THAT(TryStart(with(other)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("plan"), HasSubstr("2 x 50 coordinates, new ones every 3 versions"))))
        << other;
  }
  EXPECT_THAT(TryStart(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 x 50 coordinates")));
  Start(with("dimension: 50 vectors: 2 epoch_rounds: 3"));
}

TEST_F(RestartTest, TwoServersCannotShareAStateDirectory) {
  Start();
  const std::unique_ptr<FederationServer> first = std::move(server_);
  EXPECT_THAT(TryStart(""), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("lock")));
}

TEST_F(RestartTest, HeldCallsAndStreamsEndWhenTheServerLeaves) {
  Start("round { clients: 2 }");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  absl::StatusOr<v1::AwaitAssignmentResponse> held = absl::InternalError("nothing");
  std::thread waiting([&] { held = a.Await(); });
  WaitFor([](const v1::Status& s) { return s.waiting_for().find("1 of 2") != std::string::npos; });
  grpc::ClientContext context;
  const auto watch = control_->WatchStatus(&context, {});
  v1::WatchStatusResponse response;
  ASSERT_TRUE(watch->Read(&response));
  Stop();
  waiting.join();
  EXPECT_THAT(held, StatusIs(absl::StatusCode::kUnavailable));
  while (watch->Read(&response)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace thinwire
