// Connections that break in the middle: no byte that the other side holds is sent again.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

constexpr int kParameters = 2'000'000;  // 8 MB each way
// Bytes that may be under way when a connection breaks (gRPC's flow-control window and the sockets' buffers) and are
// therefore sent twice, and what the protocol itself adds.
constexpr uint64_t kUnderWay = 1'500'000;

class CutTest : public FederationTest {
 protected:
  // Rounds of one client over a link of about 16 MB/s, so that a connection is cut in the middle of a payload.
  void Start(int rounds) {
    ASSERT_THAT(cluster_.StartServer(Config(rounds, 1, kFp32)), IsOk());
    cluster_.proxy().SetRate(WireDirection::kUp, 16 << 20);
    cluster_.proxy().SetRate(WireDirection::kDown, 16 << 20);
    StartEchoClients(1, kParameters);
  }
  void ExpectCompleted() {
    ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(120)));
    EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
    EXPECT_EQ(status.version(), 1u);
    EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
  }
};

TEST_F(CutTest, AnUploadGoesOnWhereItBroke) {
  Start(1);
  // The initial weights take 8 MB up; the update's 8 MB are cut three times.
  for (uint64_t cut = 1; cut <= 3; ++cut) {
    const uint64_t passed = 8'000'000 + cut * 2'000'000;
    ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kUp, passed, absl::Seconds(60))) << cluster_.Logs();
    cluster_.proxy().CutNow();
  }
  ExpectCompleted();
  const ProxyStats stats = cluster_.proxy().stats();
  EXPECT_GE(stats.cuts, 3u);
  EXPECT_LT(stats.total.up, 16'000'000 + 4 * kUnderWay);
}

TEST_F(CutTest, ADownloadGoesOnWhereItBroke) {
  Start(1);
  for (uint64_t cut = 1; cut <= 3; ++cut) {
    ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kDown, cut * 2'000'000, absl::Seconds(60)))
        << cluster_.Logs();
    cluster_.proxy().CutNow();
  }
  ExpectCompleted();
  const ProxyStats stats = cluster_.proxy().stats();
  EXPECT_GE(stats.cuts, 3u);
  EXPECT_LT(stats.total.down, 8'000'000 + 4 * kUnderWay);
}

TEST_F(CutTest, AClientKilledInMidUploadSendsTheRestAfterItsRestart) {
  Start(1);
  ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kUp, 13'000'000, absl::Seconds(60))) << cluster_.Logs();
  cluster_.KillClient(0);
  ASSERT_THAT(cluster_.StartClient("c0", {"--task=echo", "--echo-parameters=2000000"}), IsOk());
  ExpectCompleted();
  EXPECT_LT(cluster_.proxy().stats().total.up, 16'000'000 + kUnderWay);
}

// A link of 256 kbit/s that breaks again and again, at another byte of a chunk each time, and once at its very end.
class ThinLinkTest : public FederationTest, public testing::WithParamInterface<WireDirection> {
 protected:
  static constexpr uint64_t kValues = 90'000;
  static constexpr uint64_t kPayload = 4 * kValues;
  static constexpr uint64_t kRate = 32'000;
  static constexpr uint64_t kLargestChunk = 16 << 10;  // before a rate is known; later ones hold a quarter second of it
  static constexpr uint64_t kInFlight = 16 << 10;
  // What frames, headers and the other calls add, in the whole run.
  static constexpr uint64_t kProtocol = kPayload / 25;

  // Only what is to be measured is slow.
  void Start() {
    ModelState initial = MakeAwkwardModel(kValues);
    ModelStateSource source(initial);
    const std::string path = folder_.Path("initial.safetensors");
    ASSERT_THAT(WriteSafetensors(path, initial.spec, source), IsOk());
    Sections sections;
    sections.model = absl::StrCat("safetensors: \"", path, "\"");
    sections.client =
        "heartbeat_interval { seconds: 5 } lease { seconds: 60 } retry_min { nanos: 1000000 } "
        "retry_max { nanos: 2000000 }";
    ASSERT_THAT(cluster_.StartServer(Config(1, 1, kFp32, sections)), IsOk());
    cluster_.proxy().SetRate(GetParam(), kRate);
    ASSERT_THAT(cluster_.StartClient("c0", {"--task=echo"}), IsOk());
  }
  uint64_t Carried() {
    const WireBytes total = cluster_.proxy().stats().total;
    return GetParam() == WireDirection::kUp ? total.up : total.down;
  }
};

TEST_P(ThinLinkTest, AtMostAChunkAndWhatWasInFlightIsSentAgainForEachCut) {
  Start();
  // More than a chunk apart, else nothing could ever get through.
  uint64_t cuts = 0;
  for (uint64_t at = kLargestChunk; at < kPayload; at += kLargestChunk + 9 * 1024) {
    ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(GetParam(), at, absl::Seconds(60))) << cluster_.Logs();
    cluster_.proxy().CutNow();
    ++cuts;
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd(absl::Seconds(120)));
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
  EXPECT_GE(cuts, 4u);
  const uint64_t again = Carried() - std::min(Carried(), kPayload + kProtocol);
  RecordProperty("bytes_sent_again_per_cut", static_cast<int>(again / cuts));
  EXPECT_LE(again, cuts * (kLargestChunk + kInFlight)) << Carried() << " bytes for a payload of " << kPayload;
}

INSTANTIATE_TEST_SUITE_P(Directions, ThinLinkTest, testing::Values(WireDirection::kUp, WireDirection::kDown),
                         [](const auto& direction) {
                           return direction.param == WireDirection::kUp ? "Upload" : "Download";
                         });

}  // namespace
}  // namespace thinwire
