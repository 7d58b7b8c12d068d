// What clients can make the server hold has limits: whoever comes above one is told which it is and when to come back,
// is counted, and gets in once there is room.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/grpc_status.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

auto AtLimit(const std::string& limit) {
  return StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr(limit), HasSubstr("come back in 200ms to 5s")));
}

class LimitsTest : public ServerFixture {
 protected:
  // Two trainers with work.
  void StartWithWork(const std::string& limits) {
    Start("round { clients: 2 } limits { " + limits + " }");
    a_ = std::make_unique<TestClient>(Client("a"));
    b_ = std::make_unique<TestClient>(Client("b"));
    ASSERT_THAT(a_->Join(), IsOk());
    ASSERT_THAT(b_->Join(), IsOk());
    std::thread other([&] { ASSERT_OK_AND_ASSIGN(work_b_, b_->AwaitWork()); });
    ASSERT_OK_AND_ASSIGN(work_a_, a_->AwaitWork());
    other.join();
    update_a_ = Encode(FilledState(SmallModel(), 1), work_a_);
    update_b_ = Encode(FilledState(SmallModel(), 1), work_b_);
  }
  // a's upload begins, and stays open.
  void BeginUpload() {
    writer_ = a_->stub()->Upload(&context_, &response_);
    v1::UploadRequest request;
    *request.mutable_header() = a_->Header(work_a_, update_a_.ref);
    ASSERT_TRUE(writer_->Write(request));
    request.set_data(update_a_.bytes.substr(0, 4096));
    ASSERT_TRUE(writer_->Write(request));
    const Monotonic give_up = Clock::System()->Now() + absl::Seconds(30);
    while (a_->UploadStatus(work_a_.assignment_id(), update_a_.ref.id)->received_bytes() < 4096) {
      ASSERT_LT(Clock::System()->Now(), give_up);
    }
  }
  void FinishUpload() {
    v1::UploadRequest request;
    for (size_t offset = 4096; offset < update_a_.bytes.size(); offset += 65536) {
      request.set_data(update_a_.bytes.substr(offset, 65536));
      ASSERT_TRUE(writer_->Write(request));
    }
    writer_->WritesDone();
    const grpc::Status status = writer_->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  void ExpectCounted(const std::string& reason) {
    EXPECT_THAT(GetStatus().ShortDebugString(), HasSubstr(absl::StrCat("reason: \"", reason, "\" count: 1")));
    EXPECT_THAT(HttpGet("/metrics"), HasSubstr(absl::StrCat("thinwire_refusals_total{reason=\"", reason, "\"} 1")));
  }

  std::unique_ptr<TestClient> a_;
  std::unique_ptr<TestClient> b_;
  v1::Assignment work_a_;
  v1::Assignment work_b_;
  PayloadBytes update_a_;
  PayloadBytes update_b_;
  grpc::ClientContext context_;
  v1::UploadResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>> writer_;
};

TEST_F(LimitsTest, UploadsAboveTheLimitWaitForRoom) {
  StartWithWork("uploads: 1");
  BeginUpload();
  EXPECT_THAT(b_->Upload(work_b_, update_b_), AtLimit("1 uploads are open, all that limits.uploads, 1, allows"));
  ExpectCounted("too many uploads");
  FinishUpload();
  // The client has its answer a little before the server has done with the call; one that comes too soon comes back.
  absl::StatusOr<v1::UploadResponse> uploaded = b_->Upload(work_b_, update_b_);
  for (int i = 0; i < 1000 && absl::IsResourceExhausted(uploaded.status()); ++i) {
    uploaded = b_->Upload(work_b_, update_b_);
  }
  ASSERT_THAT(uploaded, IsOk());
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
}

TEST_F(LimitsTest, SpoolBytesAreThoseThatUploadsAnnounce) {
  const uint64_t one = *MaxPayloadSize(SmallModel(), Representation::kDelta, CodecSpec::Fp32());
  StartWithWork(absl::StrCat("spool_bytes: ", 2 * one - 1));
  BeginUpload();
  EXPECT_THAT(b_->Upload(work_b_, update_b_), AtLimit(absl::StrCat("limits.spool_bytes, ", 2 * one - 1)));
  ExpectCounted("spool full");
  // Its place is kept: a has not got anywhere, and gives its room back.
  ASSERT_THAT(a_->ReportFailure(work_a_.assignment_id(), "no disk"), IsOk());
  EXPECT_FALSE(writer_->Finish().ok() && response_.state() == v1::UPDATE_STATE_RECEIVED);
  ASSERT_THAT(b_->Upload(work_b_, update_b_), IsOk());
}

TEST_F(LimitsTest, DownloadsAboveTheLimitWaitForRoom) {
  StartWithWork("downloads: 1");
  v1::DownloadRequest request;
  request.set_client_id("a");
  request.set_payload_id(work_a_.model().payload_id());
  request.set_max_chunk_bytes(4096);
  const auto reader = a_->stub()->Download(&context_, request);
  v1::DownloadResponse response;
  ASSERT_TRUE(reader->Read(&response));  // one chunk of seventy; the rest is not asked for
  EXPECT_THAT(b_->Download(work_b_.model()), AtLimit("1 downloads are open, all that limits.downloads allows"));
  ExpectCounted("too many downloads");
  while (reader->Read(&response)) {
  }
  ASSERT_TRUE(reader->Finish().ok());
  // The stream leaves a moment after its client has heard of its end.
  const Monotonic give_up = Clock::System()->Now() + absl::Seconds(30);
  while (!b_->Download(work_b_.model()).ok()) ASSERT_LT(Clock::System()->Now(), give_up);
}

TEST_F(LimitsTest, TrainersAndEvaluatorsAreCountedApart) {
  Start("round { clients: 9 } limits { clients: 1 evaluators: 1 }");
  TestClient a = Client("a");
  TestClient b = Client("b");
  TestClient e = Client("e");
  TestClient f = Client("f");
  ASSERT_THAT(a.Join(), IsOk());
  EXPECT_THAT(b.Join(), AtLimit("1 trainers have joined, all that limits.clients allows"));
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  EXPECT_THAT(f.JoinAsEvaluator(), AtLimit("1 evaluators have joined, all that limits.evaluators allows"));
  EXPECT_THAT(a.JoinAsEvaluator(), AtLimit("limits.evaluators"));  // no way around by the other role
  EXPECT_THAT(a.Join(), IsOk());
  ASSERT_THAT(e.Leave(), IsOk());
  EXPECT_THAT(f.JoinAsEvaluator(), IsOk());
}

TEST_F(LimitsTest, RequestsAboveWhatTheDriverLetsWaitComeBackLater) {
  driver_queue_ = 1;
  health_.beat_every = absl::InfiniteDuration();  // a beat would take the place
  Start();
  BlockDriver();
  TestClient a = Client("a");
  std::thread waiting([&] { EXPECT_THAT(a.Join(), IsOk()); });
  const Monotonic give_up = Clock::System()->Now() + absl::Seconds(30);
  while (HttpGet("/metrics").find("thinwire_queue_depth{queue=\"driver\"} 1") == std::string::npos) {
    ASSERT_LT(Clock::System()->Now(), give_up);
  }
  TestClient b = Client("b");
  const auto busy = AtLimit("1 requests wait for the run's driver");
  EXPECT_THAT(b.Join(), busy);
  EXPECT_THAT(b.Await().status(), busy);
  EXPECT_THAT(b.ReportFailure("r1-c1", "none"), busy);
  EXPECT_THAT(HttpGet("/metrics"), HasSubstr("thinwire_refusals_total{reason=\"driver busy\"} 3"));
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  EXPECT_THAT(FromGrpcStatus(control_->GetStatus(&context, {}, &response)), busy);
  ReleaseDriver();
  waiting.join();
  EXPECT_THAT(b.Join(), IsOk());
}

TEST_F(LimitsTest, TheFirstMessageOfAnUploadIsAHeaderAndSmall) {
  StartWithWork("");
  v1::UploadRequest request;
  *request.mutable_header() = a_->Header(work_a_, update_a_.ref);
  request.mutable_header()->set_assignment_id(std::string(1 << 20, 'x'));
  writer_ = a_->stub()->Upload(&context_, &response_);
  writer_->Write(request);
  const grpc::Status status = writer_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("at most 4096"));
}

TEST_F(LimitsTest, LongNamesAndTextsAreCutOrRefused) {
  StartWithWork("");
  const std::string megabyte(1 << 20, 'x');
  EXPECT_THAT(Client(std::string(65, 'x')).Join(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("{1,64}")));
  const absl::Status unknown = a_->UploadStatus(megabyte, update_a_.ref.id).status();
  EXPECT_THAT(unknown, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_LT(unknown.message().size(), 400u);
  EXPECT_THAT(Client(megabyte).Heartbeat(), StatusIs(absl::StatusCode::kFailedPrecondition));
  v1::JoinRequest join = a_->JoinRequest();
  join.set_software(megabyte);
  ASSERT_THAT(a_->Join(join), IsOk());
  ASSERT_THAT(a_->ReportFailure(work_a_.assignment_id(), megabyte), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse failed, a_->UploadStatus(work_a_.assignment_id(), {}));
  EXPECT_LT(failed.reason().size(), 400u);
  join.set_software(std::string(5 << 20, 'x'));
  EXPECT_THAT(a_->Join(join), StatusIs(absl::StatusCode::kResourceExhausted));  // gRPC's own: over 4 MiB
}

TEST_F(LimitsTest, AConnectionHasRoomForSoManyCallsAndOthersAreNotConcerned) {
  StartWithWork("");
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  const auto channel =
      grpc::CreateCustomChannel(server_->endpoints().federation, grpc::InsecureChannelCredentials(), arguments);
  const auto greedy = v1::Federation::NewStub(channel);
  constexpr size_t kStreams = 128;
  std::vector<grpc::ClientContext> contexts(kStreams);
  std::vector<v1::UploadResponse> responses(kStreams);
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>>> writers;
  for (size_t i = 0; i < kStreams; ++i) writers.push_back(greedy->Upload(&contexts[i], &responses[i]));
  // The call has no stream to go on, and ends by its own deadline.
  v1::HeartbeatRequest request;
  request.set_client_id("a");
  v1::HeartbeatResponse response;
  grpc::ClientContext late;
  late.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  EXPECT_EQ(greedy->Heartbeat(&late, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(a_->Heartbeat(), IsOk());
  contexts[0].TryCancel();
  grpc::ClientContext next;
  next.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  EXPECT_TRUE(greedy->Heartbeat(&next, request, &response).ok());
  for (size_t i = 0; i < kStreams; ++i) {
    contexts[i].TryCancel();
    writers[i]->Finish();
  }
}

TEST_F(LimitsTest, ReflectionListsTheServices) {
  Start();
  // grpc.reflection.v1alpha.ServerReflectionRequest { list_services: "*" }, by hand: its classes are not installed.
  const grpc::Slice message(std::string("\x3a\x01*"));
  for (const auto& [address, service] : {std::pair(server_->endpoints().federation, "thinwire.v1.Federation"),
                                         std::pair(server_->endpoints().control, "thinwire.v1.Control")}) {
    grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    grpc::CompletionQueue queue;
    const auto call =
        stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    void* tag = nullptr;
    bool ok = false;
    const auto step = [&] { ASSERT_TRUE(queue.Next(&tag, &ok) && ok); };
    call->StartCall(nullptr);
    step();
    call->Write(grpc::ByteBuffer(&message, 1), nullptr);
    step();
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    step();
    grpc::Slice bytes;
    ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
    const std::string text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    EXPECT_THAT(text, AllOf(HasSubstr(service), HasSubstr("grpc.health.v1.Health")));
    context.TryCancel();
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
  }
}

}  // namespace
}  // namespace thinwire
