#include "server/daemon/exit_events.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

namespace thinwire {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(30);

TEST(ExitEvents, ASignalEndsTheWait) {
  ExitEvents events;
  ::kill(::getpid(), SIGTERM);
  const ExitEvents::State state = events.Wait(kDeadline);
  ASSERT_TRUE(state.signal.has_value());
  EXPECT_EQ(*state.signal, SIGTERM);
}

TEST(ExitEvents, WhatTheServerSaysEndsTheWaitAndIsRemembered) {
  ExitEvents events;
  std::thread server([&] { events.RunFinished(RunState::kFailed); });
  EXPECT_EQ(events.Wait(kDeadline).finished, RunState::kFailed);
  server.join();
  events.EverybodyTold();
  events.Broken(absl::ResourceExhaustedError("disk full"));
  const ExitEvents::State state = events.Wait(kDeadline);
  EXPECT_EQ(state.finished, RunState::kFailed);
  EXPECT_TRUE(state.everybody_told);
  EXPECT_TRUE(absl::IsResourceExhausted(state.broken));
  EXPECT_FALSE(state.signal.has_value());
}

TEST(ExitEvents, TheTimeoutEndsTheWait) { EXPECT_FALSE(ExitEvents().Wait(absl::ZeroDuration()).signal.has_value()); }

}  // namespace
}  // namespace thinwire
