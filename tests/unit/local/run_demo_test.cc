#include "deploy/local/run_demo.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#include <string>

#include "common/base/file.h"
#include "deploy/local/local_federation.h"
#include "deploy/local/sockets.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Runs with shell scripts in the place of server and client: what the launcher does when they go wrong.
class RunDemoTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
      ASSERT_THAT(WriteFileAtomically(directory_.Path(name), ""), IsOk());
    }
    options_.data = directory_.path();
    options_.out = directory_.Path("run");
    options_.clients = 2;
  }

  void Program(const std::string& name, const std::string& script) {
    const std::string path = directory_.Path(name);
    ASSERT_THAT(WriteFileAtomically(path, "#!/bin/sh\n" + script), IsOk());
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  // A server that says where it listens, at a port where nobody is, and stays.
  void IdleServer() {
    Program("thinwire-server",
            "dir=$(dirname \"$2\")/state\n"
            "echo '{\"federation\": \"127.0.0.1:9\", \"control\": \"127.0.0.1:9\"}' > \"$dir/new\"\n"
            "mv \"$dir/new\" \"$dir/endpoints.json\"\n"
            "exec sleep 1000\n");
  }
  absl::StatusOr<RunReport> Run() { return RunDemo(options_, directory_.path(), signal_.get(), &progress_); }

  TemporaryDirectory directory_;
  DemoOptions options_;
  UniqueFd signal_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  Progress progress_{stdout, false};
};

TEST_F(RunDemoTest, AMissingProgramIsNamed) {
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("thinwire-server is not there")));
}

TEST_F(RunDemoTest, MissingDataIsNamedWithTheWayOut) {
  IdleServer();
  Program("thinwire-client", "exit 0\n");
  options_.data = "/no/data";
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kNotFound,
                              AllOf(HasSubstr("/no/data"), HasSubstr("train-images-idx3-ubyte"),
                                    HasSubstr("data_batch_1.bin"), HasSubstr("dataset-fashion-mnist"))));
}

TEST_F(RunDemoTest, AServerThatEndsAtStartIsShownWithItsLog) {
  Program("thinwire-server", "echo 'port taken' >&2; exit 4\n");
  Program("thinwire-client", "exit 0\n");
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kAborted,
                              AllOf(HasSubstr("server exited with code 4"), HasSubstr("  port taken\n"))));
}

TEST_F(RunDemoTest, AClientThatEndsBadlyIsShownWithItsLog) {
  IdleServer();
  Program("thinwire-client", "case \"$*\" in *trainer-1*) echo 'no such shard' >&2; exit 7;; esac\nexec sleep 1000\n");
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kAborted,
                              AllOf(HasSubstr("trainer-1 exited with code 7"), HasSubstr("  no such shard\n"))));
}

TEST_F(RunDemoTest, ASignalEndsTheRunAndItsProcesses) {
  IdleServer();
  Program("thinwire-client", "exec sleep 1000\n");
  signal_ = UniqueFd(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kCancelled, HasSubstr(directory_.Path("run"))));
}

TEST_F(RunDemoTest, ClientsGetTheirPartOfTheDataAndTheProxysAddress) {
  IdleServer();
  // The launcher ends the others when one ends.
  Program("thinwire-client",
          "[ \"$4\" = trainer-0 ] || exec sleep 1000\n"
          "echo \"$*\" > \"$(dirname \"$0\")/args-$4\"; exit 7\n");
  options_.partition = "iid";
  options_.samples = 60;
  options_.seed = 5;
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(ReadWholeFile(directory_.Path("args-trainer-0"), 1 << 16),
              IsOkAndHolds(AllOf(HasSubstr("--shard 0/2"), HasSubstr("--partition iid"), HasSubstr("--samples 60"),
                                 HasSubstr("--seed 5"), HasSubstr("--server 127.0.0.1:"))));
}

TEST(EndpointsTest, OnlyAFileWithBothAddressesIsTaken) {
  ASSERT_OK_AND_ASSIGN(const Endpoints endpoints,
                       ParseEndpoints(R"({"federation": "a:1", "control": "b:2", "http": "c:3"})"));
  EXPECT_EQ(endpoints.federation, "a:1");
  EXPECT_EQ(endpoints.control, "b:2");
  for (const char* bad : {"", "[]", "{", R"({"federation": "a:1"})", R"({"federation": 1, "control": "b"})"}) {
    EXPECT_THAT(ParseEndpoints(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(FreshDirectoryTest, ADirectoryInUseIsLeftAlone) {
  TemporaryDirectory directory;
  EXPECT_THAT(FreshDirectory(directory.Path("a/demo")), IsOkAndHolds(directory.Path("a/demo")));
  EXPECT_THAT(FreshDirectory(directory.Path("a/demo/")), IsOkAndHolds(directory.Path("a/demo")));
  ASSERT_THAT(WriteFileAtomically(directory.Path("a/demo/result.json"), "{}"), IsOk());
  EXPECT_THAT(FreshDirectory(directory.Path("a/demo")), IsOkAndHolds(directory.Path("a/demo-2")));
}

TEST(RoundLineTest, TakesWhatTheServerSaysAndLeavesOutWhatItDoesNot) {
  v1::RoundSummary summary;
  summary.set_round(4);
  summary.set_state(v1::ROUND_STATE_PUBLISHED);
  summary.mutable_duration()->set_seconds(2);
  summary.set_train_loss(0.5);
  summary.mutable_trainer_traffic()->mutable_down()->set_payload_bytes(10);
  const RoundLine line = ToRoundLine(summary);
  EXPECT_EQ(line.state, "PUBLISHED");
  EXPECT_EQ(line.seconds, 2);
  EXPECT_EQ(line.payload_down, 10u);
  EXPECT_FALSE(line.accuracy.has_value());
}

TEST(AddStatusTest, AReportSaysHowTheRunEnded) {
  v1::Status status;
  status.set_state(v1::RUN_STATE_FAILED);
  status.set_reason("three rounds failed");
  RunReport report;
  AddStatus(status, &report);
  EXPECT_EQ(report.state, "FAILED");
  EXPECT_EQ(report.reason, "three rounds failed");
  EXPECT_FALSE(report.accuracy.has_value());
}

}  // namespace
}  // namespace thinwire
