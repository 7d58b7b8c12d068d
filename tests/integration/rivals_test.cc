// Local top-k and FetchSGD with real processes: what travels is what the plan says, and a server that is killed goes on
// with its sketches where they stood.
#include <gtest/gtest.h>

#include <optional>

#include "tests/integration/killed_server_fixture.h"

namespace thinwire {
namespace {

constexpr char kTopK[] = R"(plan { explicit { downlink { value { fp32 {} } }
  uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } top_k { k: 500 } error_feedback {} } } }
)";
constexpr char kFetchSgd[] = R"(plan { explicit { downlink { value { fp32 {} } }
  uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} }
           sketch { rows: 3 columns: 1000 k: 300 momentum: 0.5 } } } }
)";

class RivalsTest : public KilledServerTest {};

TEST_F(RivalsTest, AKilledServersSketchesGoOnBitForBit) { ExpectTheSameAfterAKill(kFetchSgd, "after-version-write:3"); }
TEST_F(RivalsTest, AServerKilledWithItsVersionPublishedGoesOnBitForBit) {
  ExpectTheSameAfterAKill(kFetchSgd, "after-publish-commit:3");
}
TEST_F(RivalsTest, TopKGoesOnBitForBitAfterAKillAndErrorsAreCommittedOnce) {
  ExpectTheSameAfterAKill(kTopK, "after-receive-commit:5");
}

TEST_F(RivalsTest, UploadsHaveTheBytesThatThePlanPromises) {
  ASSERT_THAT(cluster_.StartServer(Config(kRounds, 3, kFetchSgd)), IsOk());
  StartEchoClients(3, kParameters);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  // 3 x 1,000 cells of 4 bytes, and the initial weights of one client.
  EXPECT_LE(status.trainer_traffic().up().payload_bytes(), 3u * kRounds * (4 * 3000 + 200) + 4 * kParameters + 1000);
}

// Three clients and an evaluator draw the initial weights, and take part in every round.
TEST_F(RivalsTest, DownloadsAreWhatChanged) {
  ASSERT_THAT(cluster_.StartServer(Config(kRounds, 3, kFetchSgd)), IsOk());
  StartEchoClients(3, kParameters);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_GT(status.trainer_traffic().down().payload_bytes(), 0u);
  EXPECT_LE(status.trainer_traffic().down().payload_bytes(), 3u * (kRounds - 1) * (300 * 6 + 300));
}

// c0 does rounds 1 and 2, c1 two rounds from the weights that it drew, the server is killed, and c0 is back with
// version 1 on its disk: 0 + 500 + 1,000 + 500 + 1,500 + 500 entries, where a model takes 200 kB.
TEST_F(RivalsTest, WhoMissedRoundsIsSentWhatChangedSinceByARestartedServerToo) {
  const std::string config = Config(6, 1, kTopK);
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  const std::vector<std::string> flags = {"--task=echo", absl::StrCat("--echo-parameters=", kParameters),
                                          "--max-rounds=2"};
  for (const char* id : {"c0", "c1"}) {
    ASSERT_OK_AND_ASSIGN(const size_t client, cluster_.StartClient(id, flags));
    const std::optional<ProcessExit> exit = cluster_.client(client).Wait(absl::Seconds(60));
    ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  }
  cluster_.KillServer();
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ASSERT_THAT(cluster_.RestartClient(0), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  const uint64_t down = status.trainer_traffic().down().payload_bytes();  // before the kill too
  EXPECT_GT(down, 4'000u * 4);
  EXPECT_LT(down, 4'000u * 6 + 6 * 300);
}

}  // namespace
}  // namespace thinwire
