// kill -9 at any instant: the round goes on where it stood, no acknowledged update is lost or counted twice.
#include <gtest/gtest.h>

#include <map>

#include "server/store/fail_point.h"
#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

constexpr int kRounds = 3;

// The digest of the model that an undisturbed run of the same seeds exports.
std::string UndisturbedDigest(const std::string& config) {
  static auto* const known = new std::map<std::string, std::string>;
  if (const auto it = known->find(config); it != known->end()) return it->second;
  TemporaryDirectory folder;
  Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
  EXPECT_THAT(cluster.StartServer(config), IsOk());
  for (const char* id : {"c0", "c1", "c2"}) {
    EXPECT_THAT(cluster.StartClient(id, {"--task=echo", "--echo-parameters=100000"}), IsOk());
  }
  const absl::StatusOr<v1::Status> status = cluster.AwaitEnd();
  if (!status.ok()) {
    ADD_FAILURE() << status.status();
    return "";
  }
  const absl::StatusOr<std::string> bytes = ReadWholeFile(status->model_path(), 1 << 30);
  EXPECT_THAT(bytes, IsOk());
  return bytes.ok() ? (*known)[config] = Sha256(*bytes).Hex() : "";
}

// Every version ends an epoch of training in a subspace.
constexpr char kEpochs[] = R"(plan { explicit {
  downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } }
  subspace { dimension: 500 epoch_rounds: 1 } } }
)";

struct Kill {
  std::string aggregator;  // "mean" or "median"
  std::string passage;     // of a fail-point
  bool subspace = false;
};

class KillFixture : public FederationTest {
 protected:
  static std::string ConfigOf(const std::string& aggregator, bool subspace = false) {
    Sections sections;
    sections.more = absl::StrCat("aggregation { ", aggregator, " {} }\n");
    return Config(kRounds, 3, subspace ? kEpochs : kS1E3M7, sections);
  }
};

class KillTest : public KillFixture, public testing::WithParamInterface<Kill> {};

TEST_P(KillTest, TheServerDiesAtAFailPointAndTheRunEndsAsIfItHadNot) {
  const std::string config = ConfigOf(GetParam().aggregator, GetParam().subspace);
  ASSERT_THAT(cluster_.StartServer(config, {absl::StrCat("--fail-point=", GetParam().passage)}), IsOk());
  StartEchoClients(3, 100'000);
  const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
  ASSERT_TRUE(exit.has_value()) << "the fail-point was not reached\n" << cluster_.Logs();
  EXPECT_TRUE(exit->signaled) << exit->Describe();
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_EQ(ExportedDigest(status), UndisturbedDigest(config));
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(20)), IsOk());
}

// Each point at its first passage (the initial weights, which no aggregator sees) and at its third (in a round).
std::vector<Kill> Kills() {
  std::vector<Kill> kills;
  for (const std::string& name : FailPointNames()) {
    const bool basis = name.find("basis") != std::string::npos;
    kills.push_back({"mean", name, basis});
    for (const char* aggregator : {"mean", "median"}) kills.push_back({aggregator, name + ":3", basis});
  }
  for (const char* name :
       {"after-version-write", "after-version-rename", "before-publish-commit", "after-publish-commit"}) {
    kills.push_back({"mean", absl::StrCat(name, ":2"), true});
  }
  return kills;
}

std::string TestName(const testing::TestParamInfo<Kill>& kill) {
  std::string name = absl::StrCat(kill.param.aggregator, "_", kill.param.passage);
  for (char& c : name) c = c == '-' || c == ':' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(FailPoints, KillTest, testing::ValuesIn(Kills()), TestName);

// Else the kills above would say nothing of a median.
TEST_F(KillFixture, TheMedianOfTheseUpdatesIsNotTheirMean) {
  EXPECT_NE(UndisturbedDigest(ConfigOf("median")), UndisturbedDigest(ConfigOf("mean")));
}

TEST_F(FederationTest, TheServerKilledInMidUploadKeepsTheBytesItHad) {
  const std::string config = Config(1, 1, kFp32);
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  cluster_.proxy().SetRate(WireDirection::kUp, 16 << 20);
  StartEchoClients(1, 2'000'000);
  // 8 MB of initial weights, then 4 of the update's 8 MB.
  ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kUp, 12'000'000, absl::Seconds(60))) << cluster_.Logs();
  cluster_.KillServer();
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_LT(cluster_.proxy().stats().total.up, 16'000'000u + 1'500'000u);
}

// Its successor has another port and has to serve the same payload from the byte where the client is.
TEST_F(FederationTest, TheServerKilledWhileItSendsTheModelGoesOnAtTheByteWhereItWas) {
  const std::string config = Config(1, 1, kFp32);
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  cluster_.proxy().SetRate(WireDirection::kDown, 16 << 20);
  StartEchoClients(1, 2'000'000);
  ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kDown, 4'000'000, absl::Seconds(60))) << cluster_.Logs();
  cluster_.KillServer();
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_EQ(status.version(), 1u);
  EXPECT_LT(cluster_.proxy().stats().total.down, 8'000'000u + 1'500'000u);
}

TEST_F(FederationTest, AClientThatDiesIsDroppedAndTheRoundClosesWithItsQuorum) {
  Sections sections;
  sections.round = "min_updates: 2 deadline { seconds: 6 }";
  sections.client = "heartbeat_interval { nanos: 200000000 } lease { seconds: 2 }";
  ASSERT_THAT(cluster_.StartServer(Config(2, 3, kFp32, sections)), IsOk());
  cluster_.proxy().SetRate(WireDirection::kUp, 2 << 20);
  StartEchoClients(3, 300'000);
  ASSERT_OK_AND_ASSIGN(const v1::Status training, cluster_.AwaitStatus([](const v1::Status& now) {
    return now.round() == 1 && now.round_state() == v1::ROUND_STATE_TRAINING;
  }));
  EXPECT_EQ(training.counters().invited(), 3u);
  cluster_.KillClient(2);
  ASSERT_OK_AND_ASSIGN(const v1::Status second,
                       cluster_.AwaitStatus([](const v1::Status& now) { return now.version() >= 1; }));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds[0].counters().folded(), 2u);
  EXPECT_EQ(rounds[0].counters().dropped() + rounds[0].counters().discarded(), 1u);
  // It comes back and the run goes on.
  ASSERT_THAT(cluster_.StartClient("c2", {"--task=echo"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
}

}  // namespace
}  // namespace thinwire
