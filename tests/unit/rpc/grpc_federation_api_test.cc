#include "client/rpc/grpc_federation_api.h"

#include <algorithm>
#include <thread>

#include "client/rpc/channel.h"
#include "common/wire/convert.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/rpc/scripted_server.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

class GrpcFederationApiTest : public testing::Test {
 protected:
  void Connect(RpcTimeouts timeouts = {}) {
    auto channels = ChannelsTo(server.address(), grpc::InsecureChannelCredentials());
    ASSERT_TRUE(channels.ok()) << channels.status();
    api = std::make_unique<GrpcFederationApi>(*channels, "client-1", timeouts);
  }

  static std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 2654435761u) >> 13);
    return bytes;
  }
  static PayloadRef Ref(uint64_t size) {
    PayloadRef ref;
    ref.id = Sha256("payload");
    ref.total_size = size;
    ref.manifest_size = kManifestHeaderSize;
    return ref;
  }

  // Serves `bytes` in chunks of at most `chunk`.
  void ServeDownload(const std::string& bytes, size_t chunk) {
    server.service.download = [=](const v1::DownloadRequest& request, grpc::ServerWriter<v1::DownloadResponse>* out) {
      asked = request;
      v1::DownloadResponse response;
      for (size_t offset = request.offset(); offset < bytes.size(); offset += chunk) {
        response.set_data(bytes.substr(offset, chunk));
        if (!out->Write(response)) return grpc::Status(grpc::StatusCode::CANCELLED, "gone");
      }
      return grpc::Status::OK;
    };
  }

  // Takes uploads, noting header and chunks.
  void TakeUpload() {
    server.service.upload = [this](grpc::ServerReader<v1::UploadRequest>* in, v1::UploadResponse* out) {
      v1::UploadRequest message;
      if (!in->Read(&message)) return grpc::Status(grpc::StatusCode::CANCELLED, "gone");
      header = message.header();
      while (in->Read(&message)) {
        chunk_sizes.push_back(message.data().size());
        received += message.data();
      }
      out->set_state(v1::UPDATE_STATE_RECEIVED);
      return grpc::Status::OK;
    };
  }

  static FederationApi::Source SourceOf(const std::string& bytes) {
    return [&bytes](uint64_t offset, size_t max, std::string* out) {
      *out = bytes.substr(offset, max);
      return absl::OkStatus();
    };
  }
  static FederationApi::Sink SinkInto(std::string* out) {
    return [out](absl::string_view data) {
      out->append(data.data(), data.size());
      return absl::OkStatus();
    };
  }

  ScriptedServer server;
  std::unique_ptr<GrpcFederationApi> api;
  v1::DownloadRequest asked;
  v1::UploadHeader header;
  std::vector<size_t> chunk_sizes;
  std::string received;
};

TEST_F(GrpcFederationApiTest, JoinSaysWhatThisClientCanAndTakesTheServersTerms) {
  Connect();
  v1::JoinRequest seen;
  server.service.join = [&](const v1::JoinRequest& request, v1::JoinResponse* response) {
    seen = request;
    response->set_run_name("fashion");
    response->set_run_seed(9);
    response->set_wire_version(1);
    response->mutable_limits()->set_max_chunk_bytes(8192);
    *response->mutable_plan() = ToProto(S1E3M7Plan());
    *response->mutable_heartbeat_interval() = ToProto(absl::Seconds(7));
    *response->mutable_retry()->mutable_min() = ToProto(absl::Seconds(1));
    *response->mutable_retry()->mutable_max() = ToProto(absl::Seconds(2));
    return grpc::Status::OK;
  };
  JoinRequest request;
  request.client_id = "client-1";
  request.role = ClientRole::kEvaluator;
  request.examples = 600;
  ASSERT_OK_AND_ASSIGN(const JoinReply reply, api->Join(request));
  EXPECT_EQ(seen.client_id(), "client-1");
  EXPECT_EQ(seen.role(), v1::CLIENT_ROLE_EVALUATOR);
  EXPECT_EQ(seen.examples(), 600u);
  EXPECT_THAT(seen.wire_versions(), ElementsAre(1));
  EXPECT_THAT(seen.codecs(),
              ElementsAre(v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64, v1::CODEC_KIND_FLOAT_BLOCKS,
                          v1::CODEC_KIND_SPARSE, v1::CODEC_KIND_RDU, v1::CODEC_KIND_QUANTIZED, v1::CODEC_KIND_SKETCH));
  EXPECT_FALSE(seen.has_model());
  EXPECT_EQ(reply.run_name, "fashion");
  EXPECT_EQ(reply.run_seed, 9u);
  EXPECT_EQ(reply.plan.Name(), S1E3M7Plan().Name());
  EXPECT_EQ(reply.heartbeat_interval, absl::Seconds(7));
  EXPECT_EQ(reply.retry.min, absl::Seconds(1));
  EXPECT_EQ(reply.retry.max, absl::Seconds(2));
}

TEST_F(GrpcFederationApiTest, EveryShortCallCarriesTheClientsIdAndItsArguments) {
  Connect();
  v1::UploadStatusRequest status;
  v1::ReportEvaluationRequest evaluation;
  v1::ReportFailureRequest failure;
  v1::HeartbeatRequest beat;
  v1::LeaveRequest leave;
  server.service.upload_status = [&](const v1::UploadStatusRequest& in, v1::UploadStatusResponse* out) {
    status = in;
    out->set_state(v1::UPDATE_STATE_PARTIAL);
    out->set_received_bytes(123);
    return grpc::Status::OK;
  };
  server.service.report_evaluation = [&](const v1::ReportEvaluationRequest& in, v1::ReportEvaluationResponse*) {
    evaluation = in;
    return grpc::Status::OK;
  };
  server.service.report_failure = [&](const v1::ReportFailureRequest& in, v1::ReportFailureResponse*) {
    failure = in;
    return grpc::Status::OK;
  };
  server.service.heartbeat = [&](const v1::HeartbeatRequest& in, v1::HeartbeatResponse*) {
    beat = in;
    return grpc::Status::OK;
  };
  server.service.leave = [&](const v1::LeaveRequest& in, v1::LeaveResponse*) {
    leave = in;
    return grpc::Status::OK;
  };
  ASSERT_OK_AND_ASSIGN(const UpdateStatus held, api->UploadStatus("a1", Sha256("x")));
  EXPECT_EQ(held.state, UpdateState::kPartial);
  EXPECT_EQ(held.received_bytes, 123u);
  EXPECT_EQ(status.payload_id(), std::string(Sha256("x").AsBytes()));
  EXPECT_THAT(api->ReportEvaluation("e1", {100, 0.5, 0.75}), IsOk());
  EXPECT_EQ(evaluation.examples(), 100u);
  EXPECT_EQ(evaluation.loss(), 0.5);
  EXPECT_EQ(evaluation.accuracy(), 0.75);
  EXPECT_THAT(api->ReportFailure("a1", "out of memory"), IsOk());
  EXPECT_EQ(failure.reason(), "out of memory");
  EXPECT_THAT(api->Heartbeat("training"), IsOk());
  EXPECT_EQ(beat.activity(), "training");
  EXPECT_THAT(api->Leave("done"), IsOk());
  EXPECT_EQ(leave.reason(), "done");
  for (const std::string& id :
       {status.client_id(), evaluation.client_id(), failure.client_id(), beat.client_id(), leave.client_id()}) {
    EXPECT_EQ(id, "client-1");
  }
}

TEST_F(GrpcFederationApiTest, ErrorsComeThroughWithCodeAndWords) {
  Connect();
  server.service.await = [](const v1::AwaitAssignmentRequest&, v1::AwaitAssignmentResponse*) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "client-1 has not joined");
  };
  EXPECT_THAT(api->AwaitAssignment({}), StatusIs(absl::StatusCode::kFailedPrecondition, "client-1 has not joined"));
}

TEST_F(GrpcFederationApiTest, NobodyListeningIsUnavailable) {
  ASSERT_OK_AND_ASSIGN(const ChannelFactory channels, ChannelsTo("127.0.0.1:1", grpc::InsecureChannelCredentials()));
  GrpcFederationApi nobody(channels, "client-1");
  EXPECT_THAT(nobody.Heartbeat(""), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(GrpcFederationApiTest, AServerThatIsBackIsReachedByTheVeryNextCall) {
  std::string address;
  {
    ScriptedServer gone;
    address = gone.address();
  }
  ASSERT_OK_AND_ASSIGN(const ChannelFactory channels, ChannelsTo(address, grpc::InsecureChannelCredentials()));
  GrpcFederationApi client(channels, "client-1");
  for (int i = 0; i < 5; ++i) EXPECT_THAT(client.Heartbeat(""), StatusIs(absl::StatusCode::kUnavailable));
  ScriptedServer back(address);
  back.service.heartbeat = [](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) { return grpc::Status::OK; };
  EXPECT_THAT(client.Heartbeat(""), IsOk());
}

TEST_F(GrpcFederationApiTest, AnExpiredCertificateIsAReasonToConnectAfresh) {
  ASSERT_OK_AND_ASSIGN(const ChannelFactory channels, ChannelsTo(server.address(), grpc::InsecureChannelCredentials()));
  int made = 0;
  GrpcFederationApi client([&] { return ++made, channels(); }, "client-1");
  server.service.heartbeat = [&made](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) {
    return made == 1 ? grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "expired") : grpc::Status::OK;
  };
  EXPECT_THAT(client.Heartbeat(""), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(made, 2);
  EXPECT_THAT(client.Heartbeat(""), IsOk());
  EXPECT_EQ(made, 2);
}

TEST_F(GrpcFederationApiTest, AServerThatHangsRunsIntoTheCallsDeadline) {
  RpcTimeouts timeouts;
  timeouts.call = absl::Milliseconds(30);
  timeouts.await = absl::Milliseconds(30);
  Connect(timeouts);
  server.service.heartbeat = [this](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) {
    server.gate.Wait();
    return grpc::Status::OK;
  };
  server.service.await = [this](const v1::AwaitAssignmentRequest&, v1::AwaitAssignmentResponse*) {
    server.gate.Wait();
    return grpc::Status::OK;
  };
  EXPECT_THAT(api->Heartbeat(""), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(api->AwaitAssignment({}), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(GrpcFederationApiTest, ADownloadOfSeveralMegabytesArrivesWholeFromItsOffset) {
  Connect();
  const std::string bytes = Bytes(9'000'000);
  ServeDownload(bytes, 200'000);
  std::string got;
  ASSERT_THAT(api->Download(Ref(bytes.size()), 1000, SinkInto(&got)), IsOk());
  EXPECT_TRUE(got == bytes.substr(1000));
  EXPECT_EQ(asked.client_id(), "client-1");
  EXPECT_EQ(asked.offset(), 1000u);
  EXPECT_EQ(asked.payload_id(), std::string(Ref(0).id.AsBytes()));
  EXPECT_EQ(asked.max_chunk_bytes(), 16u * 1024);  // while no rate is known
}

TEST_F(GrpcFederationApiTest, ASinksErrorEndsTheDownloadAndIsReturned) {
  Connect();
  ServeDownload(Bytes(9'000'000), 1000);
  int calls = 0;
  const auto sink = [&](absl::string_view) {
    ++calls;
    return absl::ResourceExhaustedError("disk full");
  };
  EXPECT_THAT(api->Download(Ref(9'000'000), 0, sink), StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
  EXPECT_EQ(calls, 1);
}

TEST_F(GrpcFederationApiTest, ADownloadThatStallsEndsAndTheNextAsksForSmallerChunks) {
  RpcTimeouts timeouts;
  timeouts.stall = absl::Milliseconds(50);
  Connect(timeouts);
  server.service.download = [this](const v1::DownloadRequest& request, grpc::ServerWriter<v1::DownloadResponse>* out) {
    asked = request;
    v1::DownloadResponse response;
    response.set_data("some");
    out->Write(response);
    server.gate.Wait();
    return grpc::Status::OK;
  };
  std::string got;
  EXPECT_THAT(api->Download(Ref(100), 0, SinkInto(&got)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no byte has moved for 50ms")));
  EXPECT_EQ(got, "some");
  const uint32_t first = asked.max_chunk_bytes();
  EXPECT_FALSE(api->Download(Ref(100), 4, SinkInto(&got)).ok());
  EXPECT_EQ(asked.max_chunk_bytes(), first / 4);
}

TEST_F(GrpcFederationApiTest, AnUploadSendsItsHeaderAndEveryByteFromItsOffsetInBoundedChunks) {
  Connect();
  TakeUpload();
  const std::string bytes = Bytes(9'000'000);
  UploadRequest request;
  request.assignment_id = "a1";
  request.payload = Ref(bytes.size());
  request.offset = 777;
  request.examples = 600;
  request.train_loss = 0.5;
  request.train_time = absl::Seconds(3);
  ASSERT_OK_AND_ASSIGN(const UpdateStatus reply, api->Upload(request, SourceOf(bytes)));
  EXPECT_EQ(reply.state, UpdateState::kReceived);
  EXPECT_TRUE(received == bytes.substr(777));
  EXPECT_EQ(header.client_id(), "client-1");
  EXPECT_EQ(header.assignment_id(), "a1");
  EXPECT_EQ(header.offset(), 777u);
  EXPECT_EQ(header.payload().total_size(), bytes.size());
  EXPECT_EQ(header.examples(), 600u);
  EXPECT_EQ(header.train_loss(), 0.5);
  EXPECT_EQ(header.train_time().seconds(), 3);
  chunk_sizes.pop_back();  // the rest
  EXPECT_THAT(chunk_sizes, Each(Ge(ChunkSizer::kSmallest)));
  EXPECT_THAT(chunk_sizes, Each(Le(ChunkSizer::kLargest)));
}

TEST_F(GrpcFederationApiTest, TheServersChunkLimitIsKept) {
  Connect();
  server.service.join = [](const v1::JoinRequest&, v1::JoinResponse* response) {
    response->set_wire_version(1);
    response->mutable_limits()->set_max_chunk_bytes(5000);
    *response->mutable_plan() = ToProto(Fp32Plan());
    return grpc::Status::OK;
  };
  ASSERT_THAT(api->Join({}), IsOk());
  TakeUpload();
  const std::string bytes = Bytes(1'000'000);
  UploadRequest request;
  request.payload = Ref(bytes.size());
  ASSERT_THAT(api->Upload(request, SourceOf(bytes)), IsOk());
  EXPECT_THAT(chunk_sizes, Each(Le(5000u)));
}

TEST_F(GrpcFederationApiTest, AnUploadWithNothingLeftToSendIsCommittedAllTheSame) {
  Connect();
  TakeUpload();
  UploadRequest request;
  request.payload = Ref(500);
  request.offset = 500;
  ASSERT_OK_AND_ASSIGN(const UpdateStatus reply, api->Upload(request, nullptr));
  EXPECT_EQ(reply.state, UpdateState::kReceived);
  EXPECT_EQ(header.offset(), 500u);
}

TEST_F(GrpcFederationApiTest, AnUploadThatIsRefusedAtItsHeaderStopsSending) {
  Connect();
  server.service.upload = [](grpc::ServerReader<v1::UploadRequest>* in, v1::UploadResponse*) {
    v1::UploadRequest message;
    in->Read(&message);
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "offset 5 is held");
  };
  const std::string bytes = Bytes(50'000'000);
  uint64_t asked_up_to = 0;
  UploadRequest request;
  request.payload = Ref(bytes.size());
  const auto source = [&](uint64_t offset, size_t max, std::string* out) {
    asked_up_to = offset;
    *out = bytes.substr(offset, max);
    return absl::OkStatus();
  };
  EXPECT_THAT(api->Upload(request, source), StatusIs(absl::StatusCode::kFailedPrecondition, "offset 5 is held"));
  EXPECT_LT(asked_up_to, bytes.size() / 2);
}

TEST_F(GrpcFederationApiTest, ASourcesErrorEndsTheUploadAndIsReturned) {
  Connect();
  TakeUpload();
  UploadRequest request;
  request.payload = Ref(1000);
  const auto source = [](uint64_t, size_t, std::string*) { return absl::NotFoundError("the file is gone"); };
  EXPECT_THAT(api->Upload(request, source), StatusIs(absl::StatusCode::kNotFound, "the file is gone"));
  EXPECT_EQ(received, "");
}

TEST_F(GrpcFederationApiTest, AnUploadThatStallsEnds) {
  RpcTimeouts timeouts;
  timeouts.stall = absl::Milliseconds(50);
  Connect(timeouts);
  server.service.upload = [this](grpc::ServerReader<v1::UploadRequest>*, v1::UploadResponse*) {
    server.gate.Wait();  // reads nothing: flow control stops the client
    return grpc::Status::OK;
  };
  const std::string bytes = Bytes(50'000'000);
  UploadRequest request;
  request.payload = Ref(bytes.size());
  EXPECT_THAT(api->Upload(request, SourceOf(bytes)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no byte has moved")));
}

TEST_F(GrpcFederationApiTest, CancelEndsACallUnderWayAndEveryLaterOneButLeave) {
  Connect();
  Gate arrived;
  server.service.await = [&](const v1::AwaitAssignmentRequest&, v1::AwaitAssignmentResponse*) {
    arrived.Open();
    server.gate.Wait();
    return grpc::Status::OK;
  };
  server.service.heartbeat = [](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) { return grpc::Status::OK; };
  server.service.leave = [](const v1::LeaveRequest&, v1::LeaveResponse*) { return grpc::Status::OK; };
  ASSERT_THAT(api->Heartbeat(""), IsOk());
  std::thread canceller([&] {
    arrived.Wait();
    api->Cancel();
  });
  EXPECT_THAT(api->AwaitAssignment({}), StatusIs(absl::StatusCode::kCancelled));
  canceller.join();
  EXPECT_THAT(api->Heartbeat(""), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(api->Download(Ref(10), 0, nullptr), StatusIs(absl::StatusCode::kCancelled));
  UploadRequest request;
  request.payload = Ref(10);
  EXPECT_THAT(api->Upload(request,
                          [](uint64_t, size_t, std::string* out) {
                            *out = "0123456789";
                            return absl::OkStatus();
                          }),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(api->Leave("stopped"), IsOk());
}

TEST(ChannelTest, AddressesAreCheckedBeforeAnythingIsDialled) {
  for (const std::string good : {"127.0.0.1:9480", "example.org:1", "[::1]:65535"}) {
    EXPECT_THAT(CheckServerAddress(good), IsOk()) << good;
  }
  for (const std::string bad : {"", ":9480", "example.org", "example.org:", "example.org:0", "example.org:65536",
                                "example.org:x", "http://example.org:80"}) {
    EXPECT_THAT(CheckServerAddress(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("HOST:PORT"))) << bad;
  }
}

}  // namespace
}  // namespace thinwire
