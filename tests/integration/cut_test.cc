// Connections that break in the middle: no byte that the other side holds is sent again.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace thinwire
