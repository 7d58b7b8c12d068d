// A federation from start to end, as a user would run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

// What the server says of a run of `rounds` rounds with `clients` updates each that nothing disturbed.
void ExpectUndisturbed(const std::vector<v1::RoundSummary>& rounds, uint32_t clients) {
  for (const v1::RoundSummary& round : rounds) {
    EXPECT_EQ(round.state(), v1::ROUND_STATE_PUBLISHED);
    EXPECT_EQ(round.version(), round.round());
    EXPECT_EQ(round.counters().invited(), clients);
    EXPECT_EQ(round.counters().folded(), clients);
  }
}

TEST_F(FederationTest, FourClientsTrainThreeRoundsAndTheModelIsExported) {
  ASSERT_THAT(cluster_.StartServer(Config(3, 4, kFp32)), IsOk());
  StartEchoClients(4, 100'000);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_EQ(status.version(), 3u);
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds.size(), 3u);
  ExpectUndisturbed(rounds, 4);
  ASSERT_OK_AND_ASSIGN(const SafetensorsReader model, SafetensorsReader::Open(status.model_path()));
  EXPECT_EQ(model.spec().total_count(), 100'000u);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(20)), IsOk());
}

TEST_F(FederationTest, PackedFloatsTakeAtMost36PercentOfFp32AndTheWireAddsAtMost3Percent) {
  ASSERT_THAT(cluster_.StartServer(Config(3, 4, kS1E3M7)), IsOk());
  StartEchoClients(4, 100'000);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(20)), IsOk());
  // Without the first round, which bears the initial weights that one client uploads as FP32.
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  uint64_t payload = 0, fp32 = 0;
  for (const v1::RoundSummary& round : rounds) {
    if (round.round() == 1) continue;
    const v1::Traffic& traffic = round.trainer_traffic();
    payload += traffic.down().payload_bytes() + traffic.up().payload_bytes();
    fp32 += traffic.down().fp32_payload_bytes() + traffic.up().fp32_payload_bytes();
  }
  EXPECT_GT(payload, 2u * 4 * 2 * 100'000 * 11 / 8);
  EXPECT_LT(static_cast<double>(payload), 0.36 * static_cast<double>(fp32));
  const v1::TrafficCounters &down = status.trainer_traffic().down(), &up = status.trainer_traffic().up();
  const WireBytes wire = cluster_.proxy().stats().total;
  EXPECT_LT(static_cast<double>(wire.up + wire.down),
            1.03 * static_cast<double>(down.payload_bytes() + up.payload_bytes()));
  EXPECT_GT(wire.down, down.payload_bytes());
  EXPECT_GT(down.message_bytes(), down.payload_bytes());
}

TEST_F(FederationTest, WithTooFewClientsTheServerSaysWhatItWaitsFor) {
  ASSERT_THAT(cluster_.StartServer(Config(1, 3, kFp32)), IsOk());
  StartEchoClients(2, 1000);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitStatus([](const v1::Status& now) {
    return now.round_state() == v1::ROUND_STATE_INVITING && now.waiting_for().find("2 of 3") != std::string::npos;
  }));
  EXPECT_THAT(status.waiting_for(), HasSubstr("clients"));
  ASSERT_THAT(cluster_.StartClient("late", {"--task=echo"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED);
}

TEST_F(FederationTest, TheSameSeedsGiveTheSameBytes) {
  std::string first;
  for (int run = 0; run < 2; ++run) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    ASSERT_THAT(cluster.StartServer(Config(2, 3, kS1E3M7)), IsOk());
    for (const char* id : {"a", "b", "c"}) {
      ASSERT_THAT(cluster.StartClient(id, {"--task=echo", "--echo-parameters=70000"}), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster.AwaitEnd());
    const std::string digest = ExportedDigest(status);
    if (run == 0) first = digest;
    EXPECT_EQ(digest, first);
  }
}

}  // namespace
}  // namespace thinwire
