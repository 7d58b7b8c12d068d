// A client whose process stands still: its connection is open and its kernel acknowledges, but nobody is at home.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

class StoppedClientTest : public FederationTest {};

TEST_F(StoppedClientTest, IsReplacedAfterItsLeaseAndComesBackWhenItGoesOn) {
  ASSERT_THAT(cluster_.StartServer(Config(2, 2, kFp32)), IsOk());
  // Slow enough for a signal to find the first client in the middle of its download.
  cluster_.proxy().SetRate(WireDirection::kDown, 4 << 20);
  StartEchoClients(2, 1'000'000);
  ASSERT_OK_AND_ASSIGN(const v1::Status training, cluster_.AwaitStatus([](const v1::Status& now) {
    return now.round_state() == v1::ROUND_STATE_TRAINING;
  }));
  EXPECT_EQ(training.counters().training(), 2u);
  cluster_.client(0).Signal(SIGSTOP);
  ASSERT_THAT(cluster_.StartClient("substitute", {"--task=echo"}), IsOk());
  ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) { return now.version() >= 1; }), IsOk());
  cluster_.client(0).Signal(SIGCONT);
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(rounds[0].counters().dropped(), 1u);
  EXPECT_EQ(rounds[0].counters().folded(), 2u);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// No byte comes and nobody says that the connection has ended: as if a cable were out, but for the acknowledgements of
// TCP.
TEST_F(StoppedClientTest, ALinkThatCarriesNothingAnyMoreCostsItsClientItsPlace) {
  ASSERT_THAT(cluster_.StartServer(Config(2, 1, kFp32)), IsOk());
  cluster_.proxy().SetRate(WireDirection::kDown, 4 << 20);
  StartEchoClients(1, 1'000'000);
  ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) { return now.round_state() == v1::ROUND_STATE_TRAINING; }),
              IsOk());
  cluster_.proxy().SetDelay(WireDirection::kUp, absl::Hours(1));
  cluster_.proxy().SetDelay(WireDirection::kDown, absl::Hours(1));
  cluster_.DialDirectly();
  ASSERT_THAT(cluster_.StartClient("substitute", {"--task=echo"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds[0].counters().dropped(), 1u);
  EXPECT_EQ(rounds[0].counters().folded(), 1u);
  EXPECT_EQ(cluster_.proxy().stats().cuts, 0u);
}

}  // namespace
}  // namespace thinwire
