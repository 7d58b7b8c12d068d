#include "server/daemon/daemon.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    flags_.config = directory_.Path("server.textproto");
    flags_.state_dir = directory_.Path("state");
    flags_.listen_federation = flags_.listen_control = flags_.listen_http = "127.0.0.1:0";
    flags_.insecure = true;
    WriteConfig("PLAN_PRESET_FP32");
  }
  void WriteConfig(const std::string& preset, int seed = 1) {
    ASSERT_THAT(WriteFileAtomically(flags_.config,
                                    absl::StrCat("run { rounds: 1 seed: ", seed,
                                                 " }\nmodel { from_client_seed: 1 }\nround { clients: 1 }\n",
                                                 "training { learning_rate: 0.1 }\nplan { preset: ", preset, " }\n",
                                                 "storage { directory: '", directory_.Path("unused"), "' }\n")),
                IsOk());
  }
  int Run() {
    const absl::StatusOr<ServerConfig> config = EffectiveConfiguration(flags_);
    if (!config.ok()) return kExitUsage;
    return RunDaemon(flags_, *config);
  }
  // Runs until the daemon listens, then stops it by a signal. Returns its exit code.
  int RunUntilItListens() {
    // Every thread but the daemon's leaves the signal alone.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    int code = -1;
    std::thread daemon([&] { code = Run(); });
    const std::string endpoints = JoinPath(flags_.state_dir, "endpoints.json");
    const Monotonic give_up = Clock::System()->Now() + absl::Seconds(60);
    while (!FileExists(endpoints) && Clock::System()->Now() < give_up) std::this_thread::yield();
    EXPECT_THAT(ReadWholeFile(endpoints, 1000), IsOkAndHolds(HasSubstr("\"federation\": \"127.0.0.1:")));
    ::kill(::getpid(), SIGTERM);
    daemon.join();
    EXPECT_THAT(RemoveFile(endpoints), IsOk());
    return code;
  }

  TemporaryDirectory directory_;
  CommandLine flags_;
};

TEST_F(DaemonTest, FlagsOverrideTheConfiguration) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, EffectiveConfiguration(flags_));
  EXPECT_EQ(config.proto.storage().directory(), flags_.state_dir);
  EXPECT_EQ(config.proto.listen().control(), "127.0.0.1:0");
  flags_.listen_http = "nowhere";
  EXPECT_THAT(EffectiveConfiguration(flags_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--listen-http: 'nowhere'")));
}

TEST_F(DaemonTest, StopsGracefullyAndCanBeStartedAgain) {
  EXPECT_EQ(RunUntilItListens(), kExitOk);
  EXPECT_EQ(RunUntilItListens(), kExitOk);
}

TEST_F(DaemonTest, ADirectoryThatIsAFileHasItsExitCode) {
  ASSERT_THAT(WriteFileAtomically(flags_.state_dir, "a file"), IsOk());
  EXPECT_EQ(Run(), kExitState);
}

TEST_F(DaemonTest, AnotherRunsDirectoryIsAFaultOfTheConfiguration) {
  ASSERT_EQ(RunUntilItListens(), kExitOk);
  WriteConfig("PLAN_PRESET_FP32", /*seed=*/2);
  EXPECT_EQ(Run(), kExitUsage);
}

TEST_F(DaemonTest, APlanMayBeCorrectedBeforeThereAreWeights) {
  ASSERT_EQ(RunUntilItListens(), kExitOk);
  WriteConfig("PLAN_PRESET_S1E3M7");
  EXPECT_EQ(RunUntilItListens(), kExitOk);
}

TEST_F(DaemonTest, AnAddressThatCannotBeBoundIsAFaultOfTheConfiguration) {
  flags_.listen_control = "192.0.2.1:1";  // a documentation address: nobody's
  EXPECT_EQ(Run(), kExitUsage);
}

}  // namespace
}  // namespace thinwire
