// What may be wrong with a state folder: it cannot be written, somebody else has it, its files are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "absl/strings/match.h"
#include "tests/integration/federation_fixture.h"
#include "tests/testing/small_disk.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kServerExitState = 3;  // see --help of both
constexpr int kClientExitState = 6;
constexpr uint64_t kMaxFile = uint64_t{1} << 30;
constexpr int kParameters = 20'000;

class StateFolderTest : public FederationTest {
 protected:
  // How a server ends that cannot start, and what it says.
  void ExpectServerEnds(const testing::Matcher<std::string>& says) {
    ASSERT_THAT(cluster_.LaunchServer(config_), IsOk());
    const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
    ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
    EXPECT_EQ(exit->code, kServerExitState) << exit->Describe();
    EXPECT_THAT(cluster_.LogOf("server"), says);
  }
  // Two clients train until `version` is there; then the server is ended.
  void TrainUntil(uint64_t version, bool kill) {
    ASSERT_THAT(cluster_.StartServer(config_), IsOk());
    StartEchoClients(2, kParameters);
    ASSERT_THAT(cluster_.AwaitStatus([version](const v1::Status& now) { return now.version() >= version; }), IsOk());
    kill ? cluster_.KillServer() : cluster_.StopServer();
  }
  std::string In(const std::string& name) const { return JoinPath(cluster_.state(), name); }
  // The newest file in a folder of the state with this ending.
  std::string Newest(const std::string& folder, const std::string& ending) {
    std::string newest;
    const absl::StatusOr<std::vector<std::string>> names = ListDirectory(In(folder));
    EXPECT_THAT(names, IsOk());
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      if (absl::EndsWith(name, ending)) newest = name;
    }
    return JoinPath(In(folder), newest);
  }
  static void Change(const std::string& path, const std::function<void(std::string*)>& change) {
    ASSERT_OK_AND_ASSIGN(std::string bytes, ReadWholeFile(path, kMaxFile));
    change(&bytes);
    ASSERT_THAT(WriteFileAtomically(path, bytes), IsOk());
  }

  // One round in a row fails for each version that is lost, and one for the round on top of it.
  const std::string config_ = Config(12, 2, kS1E3M7);
};

TEST_F(StateFolderTest, AServerThatMayNotWriteThereSaysSo) {
  SmallDisk disk(folder_.Path("disk"));
  if (const absl::Status mounted = disk.Mount(1 << 20); mounted.ok()) {
    ASSERT_THAT(MakeDirectories(folder_.Path("disk/state")), IsOk());
    ASSERT_THAT(disk.MakeReadOnly(), IsOk());
    cluster_.UseState(folder_.Path("disk/state"));
    ExpectServerEnds(AllOf(HasSubstr("disk/state"), HasSubstr("Read-only file system"), HasSubstr("writable")));
  } else if (::geteuid() != 0) {
    ASSERT_THAT(MakeDirectories(cluster_.state()), IsOk());
    ASSERT_EQ(::chmod(cluster_.state().c_str(), 0555), 0);
    ExpectServerEnds(AllOf(HasSubstr(cluster_.state()), HasSubstr("Permission denied"), HasSubstr("writable")));
  } else {
    GTEST_SKIP() << "root may write everywhere, and here it may not mount: " << mounted.message();
  }
}

TEST_F(StateFolderTest, AClientThatMayNotWriteThereSaysSo) {
  SmallDisk disk(folder_.Path("disk"));
  if (const absl::Status mounted = disk.Mount(1 << 20); !mounted.ok()) GTEST_SKIP() << mounted.message();
  ASSERT_THAT(MakeDirectories(folder_.Path("disk/site")), IsOk());
  ASSERT_THAT(disk.MakeReadOnly(), IsOk());
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ASSERT_OK_AND_ASSIGN(const size_t client,
                       cluster_.StartClient("site", {"--task=echo", "--state=" + folder_.Path("disk/site")}));
  const std::optional<ProcessExit> exit = cluster_.client(client).Wait(absl::Seconds(30));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_EQ(exit->code, kClientExitState);
  EXPECT_THAT(cluster_.LogOf("site"), AllOf(HasSubstr("disk/site"), HasSubstr("Read-only"), HasSubstr("writable")));
}

TEST_F(StateFolderTest, ASecondServerIsRefusedAndTheFirstGoesOn) {
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string endpoints, ReadWholeFile(In("endpoints.json"), kMaxFile));
  ASSERT_OK_AND_ASSIGN(
      ChildProcess second,
      ChildProcess::Start({"second",
                           {THINWIRE_BINARY_DIR "/bin/thinwire-server", "--config", cluster_.Path("server.textproto")},
                           {},
                           cluster_.Path("second.log")}));
  const std::optional<ProcessExit> exit = second.Wait(absl::Seconds(30));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, kServerExitState);
  EXPECT_THAT(cluster_.LogOf("second"),
              AllOf(HasSubstr(absl::StrCat("process ", cluster_.server().pid(), " works on the same state")),
                    HasSubstr("stop it, or name another storage.directory")));
  EXPECT_THAT(ReadWholeFile(In("endpoints.json"), kMaxFile), IsOkAndHolds(endpoints));
  EXPECT_THAT(cluster_.Status(), IsOk());
}

TEST_F(StateFolderTest, ASecondClientIsRefusedAndTheFirstGoesOn) {
  ASSERT_THAT(cluster_.StartServer(Config(1, 2, kFp32)), IsOk());
  StartEchoClients(1, kParameters);
  ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) { return now.round() == 1; }), IsOk());
  ASSERT_OK_AND_ASSIGN(const size_t second, cluster_.StartClient("c0b", {"--task=echo", "--client-id=c0",
                                                                         "--state=" + cluster_.Path("c0")}));
  const std::optional<ProcessExit> exit = cluster_.client(second).Wait(absl::Seconds(30));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_EQ(exit->code, kClientExitState);
  EXPECT_THAT(cluster_.LogOf("c0b"), AllOf(HasSubstr("another client holds"), HasSubstr("a state folder of its own")));
  ASSERT_THAT(cluster_.StartClient("other", {"--task=echo"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
}

struct Damage {
  const char* name;
  const char* says;
  std::function<void(const std::string&)> apply;
};

class DamagedVersionTest : public StateFolderTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedVersionTest, TheRunGoesBackToTheVersionBeforeAndSaysSo) {
  TrainUntil(3, /*kill=*/true);
  const std::string weights = Newest("versions", ".safetensors");
  GetParam().apply(weights);
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd(absl::Seconds(120)));
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  EXPECT_EQ(end.version(), 12u);
  EXPECT_THAT(cluster_.LogOf("server"),
              AllOf(HasSubstr(weights), HasSubstr(GetParam().says), HasSubstr("version revoked")));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  std::string reasons;
  uint32_t published = 0;
  for (const v1::RoundSummary& round : rounds) {
    absl::StrAppend(&reasons, round.reason(), "\n");
    published += round.state() == v1::ROUND_STATE_PUBLISHED ? 1 : 0;
  }
  EXPECT_THAT(reasons, HasSubstr("was damaged on disk, the run went back to version"));
  EXPECT_EQ(published, 12u);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

void FlipOneBit(const std::string& path) {
  const std::string bytes = ReadWholeFile(path, kMaxFile).value();
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_THAT(WriteFileAtomically(path, damaged), IsOk());
}
void CutInHalf(const std::string& path) {
  const std::string bytes = ReadWholeFile(path, kMaxFile).value();
  EXPECT_THAT(WriteFileAtomically(path, bytes.substr(0, bytes.size() / 2)), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Damages, DamagedVersionTest,
    testing::Values(Damage{"OneBit", "has the SHA-256", FlipOneBit}, Damage{"Truncated", "has the SHA-256", CutInHalf},
                    Damage{"Missing", "No such file",
                           [](const std::string& path) { EXPECT_THAT(RemoveFile(path), IsOk()); }}),
    [](const auto& damage) { return damage.param.name; });

TEST_F(StateFolderTest, ADamagedPayloadIsEncodedAgainAndNothingIsLost) {
  TrainUntil(3, /*kill=*/true);
  const std::string payload = Newest("payloads", ".payload");
  FlipOneBit(payload);
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  EXPECT_THAT(cluster_.LogOf("server"), HasSubstr("payload encoded again file=" + payload));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds.size(), 12u);
}

TEST_F(StateFolderTest, WithoutAnIntactVersionTheServerSaysWhichFileAndStops) {
  TrainUntil(3, /*kill=*/false);
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> versions, ListDirectory(In("versions")));
  for (const std::string& version : versions) FlipOneBit(JoinPath(In("versions"), version));
  ExpectServerEnds(AllOf(HasSubstr("no version of the model is intact"), HasSubstr(versions.back()),
                         HasSubstr("restore the folder from a backup")));
  EXPECT_THAT(ListDirectory(In("versions")), IsOkAndHolds(versions));
}

TEST_F(StateFolderTest, AJournalWhoseTailIsTornGoesOn) {
  TrainUntil(2, /*kill=*/true);
  Change(In("journal.db-wal"), [](std::string* log) { log->resize(log->size() - 100); });
  ASSERT_THAT(cluster_.StartServer(config_), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
}

TEST_F(StateFolderTest, AJournalWithABitFlippedInItsLogIsRefusedByName) {
  TrainUntil(2, /*kill=*/true);
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> versions, ListDirectory(In("versions")));
  Change(In("journal.db-wal"), [](std::string* log) { (*log)[log->size() / 2] ^= 1; });
  ExpectServerEnds(
      AllOf(HasSubstr("journal.db-wal is damaged at byte"), HasSubstr("restore the folder from a backup")));
  // Without the check SQLite steps back, and newer versions are leftovers.
  EXPECT_THAT(ListDirectory(In("versions")), IsOkAndHolds(versions));
}

TEST_F(StateFolderTest, AJournalWithDamagedPagesIsRefusedByName) {
  TrainUntil(2, /*kill=*/false);
  Change(In("journal.db"), [](std::string* pages) {
    for (size_t page = 4096; page < pages->size(); page += 4096) (*pages)[page] ^= 0x55;  // the kind of the page
  });
  ExpectServerEnds(AllOf(HasSubstr("journal.db"), HasSubstr("is damaged"), HasSubstr("restore it from a backup")));
}

TEST_F(StateFolderTest, SomethingElseInPlaceOfTheJournalIsRefusedAndLeftAlone) {
  ASSERT_THAT(MakeDirectories(cluster_.state()), IsOk());
  const std::string letter(5000, 'x');
  ASSERT_THAT(WriteFileAtomically(In("journal.db"), letter), IsOk());
  ExpectServerEnds(AllOf(HasSubstr("journal.db"), HasSubstr("not a database"), HasSubstr("storage.directory")));
  EXPECT_THAT(ReadWholeFile(In("journal.db"), kMaxFile), IsOkAndHolds(letter));
}

}  // namespace
}  // namespace thinwire
