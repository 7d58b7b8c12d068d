#include "client/daemon/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

// In a process of its own, since the signals go to the whole process.
[[noreturn]] void SignalTwice() {
  BlockStopSignals();
  const StopSignals signals([] { kill(getpid(), SIGTERM); });
  kill(getpid(), SIGTERM);
  for (;;) pause();
}

[[noreturn]] void SignalOnce() {
  BlockStopSignals();
  int fds[2];
  if (pipe(fds) != 0) _exit(1);
  char byte = 7;
  {
    const StopSignals signals([&] {
      if (write(fds[1], &byte, 1) != 1) _exit(2);
    });
    kill(getpid(), SIGINT);
    if (read(fds[0], &byte, 1) != 1) _exit(3);
  }
  _exit(byte);
}

TEST(StopSignalsDeathTest, TheFirstSignalCallsStop) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(SignalOnce(), testing::ExitedWithCode(7), "");
}

TEST(StopSignalsDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(SignalTwice(), testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(StopSignalsTest, WatchingEndsWithoutASignal) {
  bool stopped = false;
  {
    const StopSignals signals([&] { stopped = true; });
  }
  EXPECT_FALSE(stopped);
}

}  // namespace
}  // namespace thinwire
