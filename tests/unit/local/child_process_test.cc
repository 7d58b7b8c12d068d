#include "deploy/local/child_process.h"

#include <signal.h>

#include <string>
#include <vector>

#include "common/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);  // a bound for a broken build, never waited for

class ChildProcessTest : public testing::Test {
 protected:
  ProcessSpec Shell(const std::string& script) {
    return {"worker", {"/bin/sh", "-c", script}, {}, directory_.Path("log")};
  }
  std::string Log() { return ReadWholeFile(directory_.Path("log"), 1 << 20).value_or("?"); }

  TemporaryDirectory directory_;
};

TEST_F(ChildProcessTest, OutputGoesToTheLogAndTheExitCodeComesBack) {
  ASSERT_OK_AND_ASSIGN(ChildProcess child, ChildProcess::Start(Shell("echo out; echo err >&2; exit 3")));
  const std::optional<ProcessExit> exit = child.Wait(kPatience);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->Describe(), "exited with code 3");
  EXPECT_FALSE(exit->ok());
  EXPECT_EQ(Log(), "out\nerr\n");
  EXPECT_GT(exit->peak_rss_bytes, 0u);
}

TEST_F(ChildProcessTest, ARunningProcessHasNoExit) {
  ASSERT_OK_AND_ASSIGN(ChildProcess child, ChildProcess::Start(Shell("exec sleep 1000")));
  EXPECT_FALSE(child.Wait(absl::ZeroDuration()).has_value());
  child.Signal(SIGKILL);
  const std::optional<ProcessExit> exit = child.Wait(kPatience);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->Describe(), "was ended by signal 9 (Killed)");
}

TEST_F(ChildProcessTest, StopLetsTheProcessEndItself) {
  ASSERT_OK_AND_ASSIGN(
      ChildProcess child,
      ChildProcess::Start(Shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")));
  while (Log() != "up\n") {
    ASSERT_FALSE(child.Wait(absl::Milliseconds(1)).has_value());
  }
  EXPECT_TRUE(child.Stop(kPatience).ok());
  EXPECT_EQ(Log(), "up\nbye\n");
}

TEST_F(ChildProcessTest, StopKillsAProcessThatWillNotEnd) {
  ASSERT_OK_AND_ASSIGN(ChildProcess child,
                       ChildProcess::Start(Shell("trap '' TERM; echo up; while :; do sleep 0.01; done")));
  while (Log() != "up\n") {
    ASSERT_FALSE(child.Wait(absl::Milliseconds(1)).has_value());
  }
  EXPECT_EQ(child.Stop(absl::ZeroDuration()).code, SIGKILL);
}

TEST_F(ChildProcessTest, AProgramThatIsNotThereIsNotFound) {
  EXPECT_THAT(ChildProcess::Start({"x", {"/no/such/program"}, {}, directory_.Path("log")}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
  EXPECT_THAT(ChildProcess::Start({"x", {"/etc/passwd"}, {}, directory_.Path("log")}),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(ChildProcessTest, ALogThatCannotBeOpenedIsNamed) {
  EXPECT_THAT(ChildProcess::Start({"x", {"/bin/true"}, {}, directory_.Path("no/log")}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("no/log")));
}

TEST_F(ChildProcessTest, TheEnvironmentIsThisOneWithItsAdditions) {
  setenv("TW_TEST_KEPT", "kept", 1);
  setenv("TW_TEST_CHANGED", "old", 1);
  ProcessSpec spec = Shell("echo $TW_TEST_KEPT $TW_TEST_CHANGED");
  spec.environment = {"TW_TEST_CHANGED=new"};
  ASSERT_OK_AND_ASSIGN(ChildProcess child, ChildProcess::Start(spec));
  ASSERT_TRUE(child.Wait(kPatience).has_value());
  EXPECT_EQ(Log(), "kept new\n");
}

TEST_F(ChildProcessTest, TheChildLeadsItsOwnGroupWhichDiesWithTheObject) {
  pid_t pid = 0;
  {
    ASSERT_OK_AND_ASSIGN(ChildProcess child, ChildProcess::Start(Shell("sleep 1000 & wait")));
    pid = child.pid();
    EXPECT_EQ(getpgid(pid), pid);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(ChildProcessTest, TheTailOfAFileIsItsLastLinesIndented) {
  const std::string path = directory_.Path("text");
  ASSERT_THAT(WriteFileAtomically(path, "one\ntwo\nthree\n"), IsOk());
  EXPECT_EQ(FileTail(path, 2), "  two\n  three\n");
  EXPECT_EQ(FileTail(path, 9), "  one\n  two\n  three\n");
  EXPECT_EQ(FileTail(directory_.Path("absent"), 2), "");
  ASSERT_THAT(WriteFileAtomically(path, std::string(100'000, 'x')), IsOk());
  EXPECT_EQ(FileTail(path, 1).size(), 16u * 1024 + 3);
}

}  // namespace
}  // namespace thinwire
