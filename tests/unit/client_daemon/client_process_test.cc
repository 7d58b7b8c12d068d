// thinwire-client as a process, against a scripted server: exit codes, signals, what the log says.
#include <signal.h>

#include "common/base/file.h"
#include "common/wire/convert.h"
#include "deploy/local/child_process.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/rpc/scripted_server.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);

class ClientProcessTest : public testing::Test {
 protected:
  ClientProcessTest() {
    server.service.join = [](const v1::JoinRequest&, v1::JoinResponse* response) {
      response->set_wire_version(1);
      *response->mutable_plan() = ToProto(Fp32Plan());
      return grpc::Status::OK;
    };
    server.service.leave = [this](const v1::LeaveRequest&, v1::LeaveResponse*) {
      left.Open();
      return grpc::Status::OK;
    };
  }

  void EndRun(const std::string& state) {
    server.service.await = [state](const v1::AwaitAssignmentRequest&, v1::AwaitAssignmentResponse* response) {
      response->mutable_run_ended()->set_state(state);
      response->mutable_run_ended()->set_reason("because");
      return grpc::Status::OK;
    };
  }
  // Holds AwaitAssignment until the test is over.
  void HoldAwait() {
    server.service.await = [this](const v1::AwaitAssignmentRequest&, v1::AwaitAssignmentResponse*) {
      awaiting.Open();
      server.gate.Wait();
      return grpc::Status::OK;
    };
  }

  ChildProcess Start(std::vector<std::string> flags) {
    ProcessSpec spec{"client",
                     {THINWIRE_BINARY_DIR "/bin/thinwire-client", "--task=echo", "--state=" + folder.Path("state"),
                      "--server=" + server.address(), "--insecure"},
                     {},
                     folder.Path("log")};
    spec.command.insert(spec.command.end(), flags.begin(), flags.end());
    auto process = ChildProcess::Start(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  int ExitCode(std::vector<std::string> flags = {}) {
    ChildProcess process = Start(std::move(flags));
    const auto exit = process.Wait(kPatience);
    EXPECT_TRUE(exit.has_value() && !exit->signaled) << Log();
    return exit ? exit->code : -1;
  }
  std::string Log() {
    const auto log = ReadWholeFile(folder.Path("log"), 1 << 20);
    return log.ok() ? *log : "";
  }

  TemporaryDirectory folder;
  Gate left, awaiting;
  ScriptedServer server;
};

TEST_F(ClientProcessTest, ACompletedRunIsExitCodeZero) {
  EndRun("COMPLETED");
  EXPECT_EQ(ExitCode(), 0);
  EXPECT_THAT(Log(), HasSubstr("state=leaving detail=\"run COMPLETED: because\""));
}

TEST_F(ClientProcessTest, AFailedRunIsExitCodeFour) {
  EndRun("FAILED");
  EXPECT_EQ(ExitCode(), 4);
}

TEST_F(ClientProcessTest, ARefusalAtJoinIsExitCodeThreeWithTheServersWords) {
  server.service.join = [](const v1::JoinRequest&, v1::JoinResponse*) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "the plan needs codec 9");
  };
  EXPECT_EQ(ExitCode(), 3);
  EXPECT_THAT(Log(), HasSubstr("the plan needs codec 9"));
}

TEST_F(ClientProcessTest, WrongFlagsAreExitCodeTwo) {
  EXPECT_EQ(ExitCode({"--shards=1"}), 2);
  EXPECT_EQ(ExitCode({"--server="}), 2);
  EXPECT_THAT(Log(), HasSubstr("--server HOST:PORT is missing"));
}

TEST_F(ClientProcessTest, GivingUpOnAServerIsExitCodeFive) {
  EXPECT_EQ(ExitCode({"--server=127.0.0.1:1", "--max-failures=1"}), 5);
  EXPECT_THAT(Log(), HasSubstr("gave up on server 127.0.0.1:1 after 1 failures in a row"));
}

TEST_F(ClientProcessTest, AStateFolderInUseIsExitCodeSix) {
  HoldAwait();
  ChildProcess first = Start({});
  awaiting.Wait();
  EXPECT_EQ(ExitCode(), 6);
  EXPECT_THAT(Log(), HasSubstr("another client holds"));
}

TEST_F(ClientProcessTest, SigtermLeavesAndIsExitCodeZero) {
  HoldAwait();
  ChildProcess process = Start({});
  awaiting.Wait();
  process.Signal(SIGTERM);
  const auto exit = process.Wait(kPatience);
  ASSERT_TRUE(exit.has_value());
  EXPECT_TRUE(exit->ok()) << exit->Describe() << Log();
  left.Wait();
}

}  // namespace
}  // namespace thinwire
