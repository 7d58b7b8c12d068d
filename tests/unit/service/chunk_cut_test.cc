// A transfer whose connection breaks at the boundary of each chunk in turn, and the bytes that go over the wire for it.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "deploy/local/tcp_proxy.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kChunk = 16 * 1024;
// What the client lets a server send ahead of what was read. gRPC's own estimate would make the bytes depend on time.
constexpr uint64_t kInFlight = 16 * 1024;
// Settings, headers and frames of one connection and its call.
constexpr uint64_t kProtocol = 2048;

class ChunkCutTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    ASSERT_OK_AND_ASSIGN(proxy_, TcpProxy::Start(server_->endpoints().federation));
    client_ = std::make_unique<TestClient>(Client("a"));
    ASSERT_THAT(client_->Join(), IsOk());
    ASSERT_OK_AND_ASSIGN(work_, client_->AwaitWork());
    update_ = Encode(FilledState(SmallModel(), 1), work_);
  }
  // A connection of its own, by way of the proxy, and a new call's context.
  std::unique_ptr<v1::Federation::Stub> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kInFlight);
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    return v1::Federation::NewStub(
        grpc::CreateCustomChannel(proxy_->address(), grpc::InsecureChannelCredentials(), arguments));
  }
  void Cut() {
    const uint64_t before = proxy_->stats().cuts;
    proxy_->CutNow();
    ASSERT_TRUE(proxy_->WaitUntilCut(before + 1, absl::Seconds(30)));
  }
  uint64_t Held() {  // asked for around the proxy
    return client_->UploadStatus(work_.assignment_id(), update_.ref.id)
        .value_or(v1::UploadStatusResponse())
        .received_bytes();
  }
  // One chunk from `offset`; the connection breaks as soon as the server has it.
  void UploadAChunkAndCut(uint64_t offset) {
    const auto stub = Connect();
    v1::UploadResponse response;
    const auto writer = stub->Upload(&*context_, &response);
    v1::UploadRequest request;
    *request.mutable_header() = client_->Header(work_, update_.ref);
    request.mutable_header()->set_offset(offset);
    ASSERT_TRUE(writer->Write(request));
    request.set_data(update_.bytes.substr(offset, kChunk));
    ASSERT_TRUE(writer->Write(request));
    const Monotonic give_up = Clock::System()->Now() + absl::Seconds(30);
    while (Held() != offset + kChunk) ASSERT_LT(Clock::System()->Now(), give_up) << offset;
    Cut();
    EXPECT_FALSE(writer->Finish().ok());
  }
  // The chunk at `offset`; the connection breaks when it has been read. What came ahead of that is lost.
  std::string DownloadAChunkAndCut(uint64_t offset) {
    const auto stub = Connect();
    v1::DownloadRequest request;
    request.set_client_id("a");
    request.set_payload_id(work_.model().payload_id());
    request.set_offset(offset);
    request.set_max_chunk_bytes(kChunk);
    const auto reader = stub->Download(&*context_, request);
    v1::DownloadResponse response;
    EXPECT_TRUE(reader->Read(&response)) << offset;
    const std::string chunk = response.data();
    Cut();
    while (reader->Read(&response)) {
    }
    reader->Finish();
    return chunk;
  }

  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<TestClient> client_;
  std::optional<grpc::ClientContext> context_;
  v1::Assignment work_;
  PayloadBytes update_;
};

TEST_F(ChunkCutTest, AnUploadThatBreaksAtEachBoundarySendsNoByteTwice) {
  const uint64_t size = update_.bytes.size();
  uint64_t offset = 0;
  for (; offset + kChunk < size; offset += kChunk) {
    UploadAChunkAndCut(offset);
    if (HasFatalFailure()) return;
    EXPECT_EQ(Held(), offset + kChunk);
  }
  ASSERT_GE(offset / kChunk, 17u);
  v1::UploadHeader header = client_->Header(work_, update_.ref);
  header.set_offset(offset);
  ASSERT_THAT(client_->Upload(header, update_.bytes, size), IsOk());
  WaitFor([](const v1::Status& status) { return status.version() == 1; });
  EXPECT_THAT(HttpGet("/metrics"),
              HasSubstr(absl::StrCat("thinwire_payload_bytes_total{direction=\"up\",role=\"trainer\"} ", size, "\n")));
  const ProxyStats stats = proxy_->stats();
  EXPECT_EQ(stats.cuts, offset / kChunk);
  EXPECT_LE(stats.total.up, offset + stats.cuts * kProtocol);
}

TEST_F(ChunkCutTest, ADownloadThatBreaksAtEachBoundaryIsSentAChunkAndWhatWasInFlightTwice) {
  const uint64_t size = work_.model().total_size();
  std::string joined;
  while (joined.size() < size) {
    const std::string chunk = DownloadAChunkAndCut(joined.size());
    ASSERT_EQ(chunk.size(), std::min(kChunk, size - joined.size()));
    joined += chunk;
    // The chunk, and for nothing one more and what was under way.
    EXPECT_LE(proxy_->stats().connections.back().down, chunk.size() + kChunk + kInFlight + kProtocol) << joined.size();
  }
  EXPECT_GE(proxy_->stats().cuts, 18u);
  EXPECT_EQ(Sha256(joined.substr(0, work_.model().manifest_size())).AsBytes(), work_.model().payload_id());
  ASSERT_OK_AND_ASSIGN(const std::string whole, client_->Download(work_.model()));
  EXPECT_TRUE(joined == whole);
}

}  // namespace
}  // namespace thinwire
