// Stopping on request, and heartbeats, which go on whatever the session's thread does.
#include <thread>

#include "client/session/client_session.h"
#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

using SessionStopTest = SessionFixture;

// Counts up; a thread may wait until a number is reached.
class Count {
 public:
  void Add() {
    MutexLock lock(mutex_);
    ++value_;
    changed_.NotifyAll();
  }
  void WaitFor(int value) {
    MutexLock lock(mutex_);
    while (value_ < value) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int value_ TW_GUARDED_BY(mutex_) = 0;
};

TEST_F(SessionStopTest, StoppingInTrainingAbandonsTheRoundAndLeaves) {
  api.answers = {MakeAssignment("a1")};
  trainer.on_train = [this](const TrainRequest&) { session->RequestStop(); };
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kStopped);
  EXPECT_EQ(api.calls.back(), "Leave");
  EXPECT_EQ(api.Count("Upload"), 0u);
  EXPECT_EQ(api.failures.size(), 0u);
}

TEST_F(SessionStopTest, StoppingWhileItWaitsForTheServerEndsTheWait) {
  Fault("Join", absl::UnavailableError("connection refused"));
  sleeper.on_sleep = [this] { session->RequestStop(); };
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.end, SessionEnd::kStopped);
  EXPECT_EQ(api.Count("Join"), 1u);
  EXPECT_EQ(api.Count("Leave"), 0u);  // it never joined
}

TEST_F(SessionStopTest, StoppingBeforeTheFirstCallMakesNone) {
  MakeSession().RequestStop();
  EXPECT_EQ(session->Run().end, SessionEnd::kStopped);
  EXPECT_THAT(api.calls, SizeIs(0));
}

TEST_F(SessionStopTest, StoppingBetweenTwoCallsIsNoticedByTheNext) {
  api.answers = {ComeBack{}};
  sleeper.on_sleep = [this] { session->RequestStop(); };
  EXPECT_EQ(RunSession().end, SessionEnd::kStopped);
  EXPECT_EQ(api.Count("AwaitAssignment"), 1u);
  EXPECT_EQ(api.calls.back(), "Leave");
}

TEST_F(SessionStopTest, HeartbeatsGoOnWhileTrainingBlocksAndSayWhatItDoes) {
  Count beats;
  api.on_heartbeat = [&] { beats.Add(); };
  api.answers = {MakeAssignment("a1")};
  trainer.on_train = [&](const TrainRequest& request) {
    request.progress("step 30 of 188");
    heartbeat_sleeper.Permit(3);
    beats.WaitFor(3);
  };
  EXPECT_EQ(RunSession().delivered, 1u);
  ASSERT_THAT(api.activities, SizeIs(3));
  EXPECT_THAT(api.activities[2], HasSubstr("training, round 3, version 2"));
  EXPECT_THAT(api.activities[2], HasSubstr("step 30 of 188"));
}

TEST_F(SessionStopTest, AHeartbeatToAServerThatHasForgottenTheClientJoinsForIt) {
  Count joins;
  api.on_call = [&](const std::string& name) {
    if (name == "Join") joins.Add();
  };
  Fault("Heartbeat", absl::FailedPreconditionError("not joined"));
  api.answers = {MakeAssignment("a1")};
  trainer.on_train = [&](const TrainRequest&) {
    heartbeat_sleeper.Permit(1);
    joins.WaitFor(2);
  };
  EXPECT_EQ(RunSession().delivered, 1u);
  // The session's thread joins too before it takes new work, since the run may have changed.
  EXPECT_EQ(api.joins.size(), 3u);
}

TEST_F(SessionStopTest, AFailingHeartbeatDisturbsNothing) {
  Count beats;
  api.on_heartbeat = [&] { beats.Add(); };
  for (int i = 0; i < 2; ++i) Fault("Heartbeat", absl::UnavailableError("reset"));
  api.answers = {MakeAssignment("a1")};
  trainer.on_train = [&](const TrainRequest&) {
    heartbeat_sleeper.Permit(2);
    beats.WaitFor(2);
  };
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.joins.size(), 1u);
}

TEST(RealSleeperTest, SleepsToTheEndOrUntilInterrupted) {
  RealSleeper sleeper;
  EXPECT_TRUE(sleeper.Sleep(absl::Milliseconds(1)));
  std::thread interrupter([&] { sleeper.Interrupt(); });
  EXPECT_FALSE(sleeper.Sleep(absl::InfiniteDuration()));
  interrupter.join();
  EXPECT_FALSE(sleeper.Sleep(absl::Milliseconds(1)));
}

}  // namespace
}  // namespace thinwire
