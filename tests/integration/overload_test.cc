// Clients that want to exhaust the server: floods, bombs, and calls that never end. Its memory stays bounded, they are
// refused by a message that names the limit, and the round of the others goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "common/codec/payload.h"  // before the fixture, whose constants its names hide
#include "common/rpc/grpc_status.h"
#include "deploy/local/sockets.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/testing/process_memory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
constexpr int kParameters = 50'000;

class OverloadTest : public FederationTest {
 protected:
  // Rounds of two good clients, who have joined before a test begins its attack; they wait for a third.
  void Start(const std::string& limits) {
    Sections sections;
    sections.more = absl::StrCat("limits { ", limits, " }\n");
    ASSERT_THAT(cluster_.StartServer(Config(4, 3, kFp32, sections)), IsOk());
    StartEchoClients(2, kParameters);
    ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) {
      return now.round() == 1 && now.waiting_for().find("2 of 3") != std::string::npos;
    }),
                IsOk());
    before_ = PeakMemory(cluster_.server().pid());
  }
  // The third one comes, and all rounds are done.
  void ExpectTheOthersGoOn(uint64_t most_memory) {
    ASSERT_THAT(cluster_.StartClient("c2", {"--task=echo"}), IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
    EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
    EXPECT_LT(PeakMemory(cluster_.server().pid()) - before_, most_memory + kSanitizerMemory);
    EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
  }
  std::unique_ptr<v1::Federation::Stub> Stub() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    return v1::Federation::NewStub(
        grpc::CreateCustomChannel(cluster_.federation_address(), grpc::InsecureChannelCredentials(), arguments));
  }
  static void SetDeadline(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  uint64_t before_ = 0;
};

TEST_F(OverloadTest, AFloodOfJoinsEndsAtTheLimit) {
  constexpr int kThreads = 4;
  constexpr int kJoins = 1000;  // of each
  Start("clients: 20");
  std::atomic<int> joined{0}, refused{0}, other{0};
  std::vector<std::thread> flood;
  for (int thread = 0; thread < kThreads; ++thread) {
    flood.emplace_back([&, thread] {
      for (int i = 0; i < kJoins; ++i) {
        RawClient client(cluster_.federation_address(), absl::StrCat("flood-", thread, "-", i));
        const absl::Status status = client.Join(nullptr).status();
        const bool full =
            absl::IsResourceExhausted(status) && status.message().find("limits.clients") != absl::string_view::npos;
        ++(status.ok() ? joined : full ? refused : other);
      }
    });
  }
  for (std::thread& thread : flood) thread.join();
  EXPECT_EQ(joined, 18);
  EXPECT_EQ(refused, kThreads * kJoins - 18);
  EXPECT_EQ(other, 0);
  // The third good client finds no room: it says so, and comes in once the flood's leases are over.
  ExpectTheOthersGoOn(48 * kMiB);
  EXPECT_THAT(cluster_.LogOf("c2"), HasSubstr("limits.clients"));
}

TEST_F(OverloadTest, ABombThatGzipPackedIsNotUnpacked) {
  Start("clients: 20");
  const std::string zeros(96 * kMiB, '\0');
  {
    grpc::ClientContext context;
    SetDeadline(&context);
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    v1::JoinRequest request;
    request.set_client_id("bomb");
    request.set_software(zeros);
    v1::JoinResponse response;
    EXPECT_THAT(FromGrpcStatus(Stub()->Join(&context, request, &response)),
                StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("gzip")));
  }
  {
    grpc::ClientContext context;
    SetDeadline(&context);
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    const auto stub = Stub();
    v1::UploadResponse response;
    const auto writer = stub->Upload(&context, &response);
    v1::UploadRequest request;
    request.set_data(zeros);
    writer->Write(request);
    writer->WritesDone();
    EXPECT_THAT(FromGrpcStatus(writer->Finish()), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("gzip")));
  }
  ExpectTheOthersGoOn(48 * kMiB);
}

TEST_F(OverloadTest, AMessageThatDeclaresHundredsOfMegabytesIsNotTakenIn) {
  Start("clients: 20 evaluators: 20 uploads: 4 downloads: 8");
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::JoinRequest request;
  request.set_client_id("large");
  request.set_software(std::string(256 * kMiB, '\0'));
  v1::JoinResponse response;
  EXPECT_FALSE(Stub()->Join(&context, request, &response).ok());
  ExpectTheOthersGoOn(112 * kMiB);
}

TEST_F(OverloadTest, UploadsThatNeverSendTheirHeaderCostLittleAndHarmNobody) {
  constexpr int kConnections = 10;
  constexpr int kStreams = 100;  // of each
  Start("clients: 20");
  struct Call {
    grpc::ClientContext context;
    v1::UploadResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>> writer;
  };
  std::vector<std::unique_ptr<v1::Federation::Stub>> stubs;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < kConnections * kStreams; ++i) {
    if (i % kStreams == 0) stubs.push_back(Stub());
    calls.push_back(std::make_unique<Call>());
    calls.back()->writer = stubs.back()->Upload(&calls.back()->context, &calls.back()->response);
  }
  ExpectTheOthersGoOn(64 * kMiB);
  for (const auto& call : calls) call->context.TryCancel();
  for (const auto& call : calls) EXPECT_FALSE(call->writer->Finish().ok());
}

TEST_F(OverloadTest, ConnectionsThatNeverSpeakHarmNobody) {
  constexpr int kConnections = 300;
  Start("clients: 20");
  const size_t colon = cluster_.federation_address().rfind(':');
  const int port = std::stoi(cluster_.federation_address().substr(colon + 1));
  std::vector<UniqueFd> silent;
  for (int i = 0; i < kConnections; ++i) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::send(fd.get(), "PRI * HTTP", static_cast<size_t>(i % 10), MSG_NOSIGNAL), i % 10);
    silent.push_back(std::move(fd));
  }
  ExpectTheOthersGoOn(48 * kMiB);
}

TEST_F(OverloadTest, AnUploadThatTricklesLosesItsPlaceAtTheDeadline) {
  Sections sections;
  sections.round = "min_updates: 2 deadline { seconds: 5 }";
  ASSERT_THAT(cluster_.StartServer(Config(1, 3, kFp32, sections)), IsOk());
  StartEchoClients(2, kParameters);
  RawClient sloth(cluster_.federation_address(), "sloth");
  ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) { return now.round() == 1; }), IsOk());
  ASSERT_THAT(sloth.Join(nullptr), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, sloth.AwaitWork());
  const auto stub = Stub();
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::UploadResponse response;
  const auto writer = stub->Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header() = sloth.HeaderFor(work, {Sha256("never"), 200'000, 136});
  ASSERT_TRUE(writer->Write(request));
  // A byte at a time until the server ends the call.
  int sent = 0;
  request.set_data("x");
  while (writer->Write(request)) {
    ++sent;
    ASSERT_LT(sent, 200'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const grpc::Status refused = writer->Finish();
  EXPECT_TRUE(refused.ok()) << refused.error_message();  // the receipt of what was discarded
  EXPECT_EQ(response.state(), v1::UPDATE_STATE_DISCARDED);
  EXPECT_THAT(response.reason(), HasSubstr("deadline"));
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds[0].counters().folded(), 2u);
  EXPECT_EQ(rounds[0].counters().discarded(), 1u);
}

}  // namespace
}  // namespace thinwire
