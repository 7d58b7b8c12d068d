// The server's disk is full: nobody's bytes are lost, the message says what to do, and once there is room it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "server/service/downlink_variant.h"
#include "tests/integration/federation_fixture.h"
#include "tests/testing/small_disk.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kParameters = 1'000'000;  // 4 MB in each file: weights, payload, update
constexpr uint64_t kDisk = 40 << 20;
// Of an upload that is refused while its client still sends: what the client's and the proxy's buffers hold.
constexpr uint64_t kUnderWay = 1'000'000;
constexpr int kMaxTries = 1200;
constexpr int kExitState = 3;  // see thinwire-server --help

const auto kSaysWhatToDo = AllOf(HasSubstr("No space left on device"), HasSubstr("free space on that disk"));

class DiskFullTest : public FederationTest {
 protected:
  void SetUp() override {
    const absl::Status mounted = disk_.Mount(kDisk);
    if (!mounted.ok()) GTEST_SKIP() << mounted.message();
    cluster_.UseState(folder_.Path("disk/state"));
  }
  // A round of one client over a slow link, and the instant at which its upload has begun.
  void StartRoundOnSlowLink() {
    ASSERT_THAT(cluster_.StartServer(config_), IsOk());
    cluster_.proxy().SetRate(WireDirection::kUp, 2 << 20);
    StartEchoClients(1, kParameters);
    ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) {
      return now.round() == 1 && now.round_state() == v1::ROUND_STATE_TRAINING;
    }),
                IsOk());
  }
  // Waits until `id` has logged `text`.
  bool AwaitLog(const std::string& id, const std::string& text) {
    for (int i = 0; i < kMaxTries; ++i) {
      if (cluster_.LogOf(id).find(text) != std::string::npos) return true;
      if (cluster_.server().Wait(absl::Milliseconds(50)).has_value()) return false;
    }
    return false;
  }
  size_t CountInLog(const std::string& id, const std::string& text) {
    const std::string log = cluster_.LogOf(id);
    size_t count = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }
  void ExpectCompletedWithOneUpdate() {
    ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
    EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
    ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
    ASSERT_EQ(rounds.size(), 1u);
    EXPECT_EQ(rounds[0].counters().folded(), 1u);
    EXPECT_EQ(rounds[0].counters().invited(), 1u);
    EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
  }

  // The payloads of the variants above 0: vN.VARIANT.payload.
  void RemoveVariants() {
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names, ListDirectory(cluster_.state() + "/payloads"));
    for (const std::string& name : names) {
      if (std::count(name.begin(), name.end(), '.') < 2) continue;
      ASSERT_THAT(RemoveFile(absl::StrCat(cluster_.state(), "/payloads/", name)), IsOk());
    }
  }

  SmallDisk disk_{folder_.Path("disk")};
  const std::string config_ = Config(1, 1, kFp32);
};

TEST_F(DiskFullTest, AnUploadWaitsForRoomAndGoesOnWithWhatWasStored) {
  StartRoundOnSlowLink();
  ASSERT_THAT(disk_.FillUpTo(1 << 20), IsOk());
  ASSERT_TRUE(AwaitLog("server", "upload not stored assignment=r1-c0")) << cluster_.Logs();
  ASSERT_TRUE(AwaitLog("c0", "No space left on device")) << cluster_.Logs();
  EXPECT_THAT(cluster_.LogOf("server"), kSaysWhatToDo);
  EXPECT_THAT(cluster_.LogOf("c0"), kSaysWhatToDo);
  ASSERT_THAT(disk_.Empty(), IsOk());
  ExpectCompletedWithOneUpdate();
  // Initial weights and the update, and what was under way when the server refused, each time.
  const size_t refusals = CountInLog("server", "upload not stored");
  EXPECT_LT(cluster_.proxy().stats().total.up, 2 * 4'000'000 + (refusals + 1) * kUnderWay);
}

TEST_F(DiskFullTest, APublicationThatDoesNotFitEndsTheServerAndIsMadeAfterItsRestart) {
  StartRoundOnSlowLink();
  // The update's 4 MB fit, the new version's twice 4 MB do not.
  ASSERT_THAT(disk_.FillUpTo(7 << 20), IsOk());
  const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_EQ(exit->code, kExitState) << exit->Describe();
  EXPECT_THAT(cluster_.LogOf("server"), AllOf(kSaysWhatToDo, HasSubstr("start the server again")));
  EXPECT_EQ(CountInLog("c0", "receipt assignment=r1-c0"), 1u);
  ASSERT_THAT(disk_.Empty(), IsOk());
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ExpectCompletedWithOneUpdate();
  // Acknowledged once: it was not asked for again.
  EXPECT_EQ(CountInLog("c0", "receipt assignment=r1-c0"), 1u);
  EXPECT_EQ(CountInLog("c0", "state=training"), 1u);
}

// A client's update is folded against the payload that it had, which a restarted server has to encode again.
TEST_F(DiskFullTest, APayloadThatCannotBeMadeAgainCostsNoAcknowledgedUpdate) {
  const std::string config = Config(1, 1, kOmc);
  ASSERT_GT(DownlinkVariant(kSeed, WorkKind::kTrain, 1, "c0", 10), 0u) << "variant 0 is always there";
  // The second update that is committed: the first is the initial weights.
  ASSERT_THAT(cluster_.StartServer(config, {"--fail-point=after-receive-commit:2"}), IsOk());
  StartEchoClients(1, kParameters);
  ASSERT_TRUE(cluster_.server().Wait(absl::Seconds(60)).has_value()) << cluster_.Logs();
  RemoveVariants();  // as the restart does: their room is taken too
  ASSERT_THAT(disk_.FillUpTo(2 << 20), IsOk());
  ASSERT_THAT(cluster_.LaunchServer(config), IsOk());
  const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_EQ(exit->code, kExitState) << exit->Describe();
  EXPECT_THAT(cluster_.LogOf("server"), AllOf(kSaysWhatToDo, HasSubstr("the payload that the update started from")));
  EXPECT_THAT(cluster_.LogOf("server"), Not(HasSubstr("bad update")));
  ASSERT_THAT(disk_.Empty(), IsOk());
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ExpectCompletedWithOneUpdate();
  EXPECT_EQ(CountInLog("c0", "state=training"), 1u);
}

TEST_F(DiskFullTest, APayloadThatCannotBeMadeKeepsItsClientWaiting) {
  const ModelState initial = MakeAwkwardModel(kParameters);
  ModelStateSource source(initial);
  const std::string path = folder_.Path("initial.safetensors");
  ASSERT_THAT(WriteSafetensors(path, initial.spec, source), IsOk());
  Sections sections;
  sections.model = absl::StrCat("safetensors: \"", path, "\"");
  ASSERT_THAT(cluster_.StartServer(Config(1, 1, kOmc, sections)), IsOk());
  ASSERT_THAT(disk_.FillUpTo(2 << 20), IsOk());
  StartEchoClients(1, 0);
  ASSERT_TRUE(AwaitLog("server", "no payload")) << cluster_.Logs();
  ASSERT_TRUE(AwaitLog("c0", "a server that can store the model")) << cluster_.Logs();
  EXPECT_THAT(cluster_.LogOf("server"), kSaysWhatToDo);
  ASSERT_THAT(disk_.Empty(), IsOk());
  ExpectCompletedWithOneUpdate();
}

TEST_F(DiskFullTest, AServerThatStartsOnAFullDiskSaysSo) {
  ASSERT_THAT(disk_.FillUpTo(0), IsOk());
  ASSERT_THAT(cluster_.LaunchServer(config_), IsOk());
  const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_EQ(exit->code, kExitState) << exit->Describe();
  EXPECT_THAT(cluster_.LogOf("server"), kSaysWhatToDo);
}

}  // namespace
}  // namespace thinwire
