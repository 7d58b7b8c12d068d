// Who is let in, and what everybody else is told.
#include <gmock/gmock.h>

#include "common/wire/convert.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AdmissionTest : public ServerFixture {};

TEST_F(AdmissionTest, JoinTellsTheRunThePlanTheLimitsAndTheModel) {
  Start();
  TestClient a = Client("a");
  ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, a.Join());
  EXPECT_EQ(joined.run_name(), "default");
  EXPECT_EQ(joined.run_seed(), 3u);
  EXPECT_EQ(joined.wire_version(), 1u);
  EXPECT_EQ(joined.limits().max_chunk_bytes(), 256u * 1024);
  EXPECT_EQ(joined.limits().max_payload_bytes(),
            *MaxPayloadSize(SmallModel(), Representation::kDelta, CodecSpec::Fp32()));
  EXPECT_TRUE(FromProto(joined.plan()).ok());
  EXPECT_TRUE(FromProto(joined.model())->id() == SmallModel().id());
  EXPECT_GT(joined.heartbeat_interval().seconds(), 0);
  EXPECT_FALSE(joined.has_initial_seed()) << "its initial weights are a file's";
  ASSERT_THAT(a.Join(), IsOk());  // idempotent
  EXPECT_EQ(GetStatus().trainers(), 1u);
}

TEST_F(AdmissionTest, AClientWithAnotherModelIsToldTheFirstDifference) {
  Start();
  TestClient a = Client("a");
  v1::JoinRequest request = a.JoinRequest();
  *request.mutable_model() = ToProto(SmallModel());
  request.mutable_model()->mutable_tensors(1)->set_shape(0, 4);
  EXPECT_THAT(a.Join(request), StatusIs(absl::StatusCode::kFailedPrecondition,
                                        AllOf(HasSubstr("tensor 1"), HasSubstr("[3]"), HasSubstr("[4]"))));
  const v1::Status status = GetStatus();
  EXPECT_EQ(status.trainers(), 0u);
  ASSERT_EQ(status.refusals_size(), 1);
  EXPECT_EQ(status.refusals(0).reason(), "wrong model");
  EXPECT_THAT(HttpGet("/metrics"), HasSubstr("thinwire_refusals_total{reason=\"wrong model\"} 1"));
}

TEST_F(AdmissionTest, ClientsOfAnotherModelThanTheInitialOneAreSentAway) {
  model_config_ = "from_client_seed: 1";
  Start("round { clients: 2 }");
  TestClient a = Client("a");
  TestClient other = Client("other");
  v1::JoinRequest request = a.JoinRequest();
  *request.mutable_model() = ToProto(SmallModel());
  ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, a.Join(request));
  EXPECT_EQ(joined.initial_seed(), 1u);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  request = other.JoinRequest();
  *request.mutable_model() = ToProto(*ModelSpec::Create({{"x", {2}, DataType::kFloat32, TensorRole::kTrainable}}));
  ASSERT_THAT(other.Join(request), IsOk());
  absl::StatusOr<v1::AwaitAssignmentResponse> told = absl::InternalError("nothing");
  std::thread waiting([&] { told = other.Await(); });
  WaitFor([](const v1::Status& s) { return s.trainers() == 2; });
  ASSERT_THAT(a.Upload(work, Encode(FilledState(SmallModel(), 4), work, Representation::kModel)), IsOk());
  waiting.join();
  EXPECT_THAT(told, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(other.Heartbeat(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(AdmissionTest, NothingIsDoneForAClientThatHasNotJoined) {
  Start();
  TestClient a = Client("a");
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("call Join"));
  EXPECT_THAT(a.Await(), refused);
  EXPECT_THAT(a.Download(v1::PayloadRef()), refused);
  EXPECT_THAT(a.Upload({}, "", 0), refused);
  EXPECT_THAT(a.UploadStatus("x", {}), refused);
  EXPECT_THAT(a.ReportEvaluation("x", 0, 0), refused);
  EXPECT_THAT(a.ReportFailure("x", ""), refused);
  EXPECT_THAT(a.Heartbeat(), refused);
  EXPECT_THAT(a.Leave(), IsOk());
}

TEST_F(AdmissionTest, AnotherClientsAssignmentIsNotFound) {
  Start();
  TestClient a = Client("a");
  TestClient b = Client("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  const PayloadBytes update = Encode(FilledState(SmallModel(), 0), work);
  EXPECT_THAT(b.Upload(work, update), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(b.UploadStatus(work.assignment_id(), update.ref.id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(b.ReportFailure(work.assignment_id(), "no"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(a.UploadStatus("r9-nobody", update.ref.id), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(AdmissionTest, AClientThatAsksAgainGetsTheSameAssignment) {
  Start();
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment first, a.AwaitWork());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment second, a.AwaitWork());
  EXPECT_EQ(first.assignment_id(), second.assignment_id());
  EXPECT_EQ(first.seed(), second.seed());
}

TEST_F(AdmissionTest, AHeldCallEndsAfterItsHoldTimeWithAWindowAndTheReason) {
  hold_time_ = absl::Milliseconds(20);
  Start("round { clients: 2 } client { retry_min { nanos: 300000000 } }");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::AwaitAssignmentResponse answer, a.Await());
  ASSERT_TRUE(answer.has_come_back());
  EXPECT_EQ(answer.come_back().retry().min().nanos(), 300'000'000);
  EXPECT_THAT(answer.come_back().waiting_for(), HasSubstr("1 of 2"));
}

TEST_F(AdmissionTest, ANewerAwaitReplacesTheOlder) {
  Start("round { clients: 2 }");
  TestClient a = Client("a");
  TestClient b = Client("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  absl::StatusOr<v1::AwaitAssignmentResponse> first = absl::InternalError("nothing");
  std::thread waiting([&] { first = a.Await(); });
  WaitFor([](const v1::Status& s) { return s.waiting_for().find("1 of 2") != std::string::npos; });
  std::thread again([&] { EXPECT_THAT(a.AwaitWork(), IsOk()); });
  waiting.join();
  EXPECT_THAT(first, StatusIs(absl::StatusCode::kAborted, HasSubstr("newer")));
  EXPECT_THAT(b.AwaitWork(), IsOk());  // makes the round full
  again.join();
}

TEST_F(AdmissionTest, ACallThatItsClientGivesUpIsNotHeldAnyMore) {
  Start("round { clients: 2 }");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  grpc::ClientContext context;
  v1::AwaitAssignmentRequest request;
  request.set_client_id("a");
  v1::AwaitAssignmentResponse response;
  std::thread waiting([&] {
    EXPECT_EQ(a.stub()->AwaitAssignment(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED);
  });
  WaitFor([](const v1::Status& s) { return s.waiting_for().find("1 of 2") != std::string::npos; });
  context.TryCancel();
  waiting.join();
  WaitFor([](const v1::Status& s) { return s.waiting_for().find("0 of 2") != std::string::npos; });
}

TEST_F(AdmissionTest, ASilentClientLosesItsLeaseAndItsPlace) {
  Start(
      "round { clients: 2 min_updates: 1 } client { heartbeat_interval { nanos: 50000000 } lease { nanos: 400000000 } "
      "}");
  TestClient a = Client("a");
  TestClient b = Client("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  std::thread other([&] { EXPECT_THAT(b.AwaitWork(), IsOk()); });
  ASSERT_THAT(a.AwaitWork(), IsOk());
  other.join();
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.trainers() == 0; });
  ASSERT_GE(status.refusals_size(), 1);
  EXPECT_EQ(status.refusals(0).reason(), "lease");
  EXPECT_THAT(a.Heartbeat(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("call Join")));
}

TEST_F(AdmissionTest, AClientThatLeavesOrFailsGivesItsPlaceBack) {
  Start("round { clients: 3 min_updates: 1 }");
  TestClient a = Client("a");
  TestClient b = Client("b");
  TestClient c = Client("c");
  for (TestClient* client : {&a, &b, &c}) ASSERT_THAT(client->Join(), IsOk());
  std::thread second([&] { EXPECT_THAT(b.AwaitWork(), IsOk()); });
  std::thread third([&] { EXPECT_THAT(c.AwaitWork(), IsOk()); });
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  second.join();
  third.join();
  ASSERT_THAT(a.ReportFailure(work.assignment_id(), "out of \"memory\"\n"), IsOk());
  ASSERT_THAT(a.ReportFailure(work.assignment_id(), "again"), IsOk());  // idempotent
  ASSERT_THAT(b.Leave(), IsOk());
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.counters().dropped() == 1; });
  EXPECT_EQ(status.counters().failed(), 1u);
  EXPECT_EQ(status.trainers(), 2u);
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse failed, a.UploadStatus(work.assignment_id(), {}));
  EXPECT_EQ(failed.state(), v1::UPDATE_STATE_FAILED);
  EXPECT_EQ(failed.reason(), "client failed: out of ?memory??");
}

TEST_F(AdmissionTest, NoMoreClientsJoinThanTheLimitAndThoseInsideMayJoinAgain) {
  Start("limits { clients: 2 } round { clients: 9 }");
  TestClient a = Client("a");
  TestClient b = Client("b");
  TestClient c = Client("c");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  EXPECT_THAT(c.Join(), StatusIs(absl::StatusCode::kResourceExhausted,
                                 AllOf(HasSubstr("2 trainers"), HasSubstr("limits.clients"))));
  EXPECT_THAT(a.Join(), IsOk());
  const v1::Status status = GetStatus();
  ASSERT_EQ(status.refusals_size(), 1);
  EXPECT_EQ(status.refusals(0).reason(), "too many clients");
}

}  // namespace
}  // namespace thinwire
