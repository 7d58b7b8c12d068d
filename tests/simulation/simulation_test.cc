// Seeded runs with everything that can go wrong. A failure names its seed; the same seed fails again.
#include "tests/simulation/simulation.h"

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

Faults AllFaults() {
  Faults faults;
  faults.kill = 0.004;
  faults.publish_fails = 0.03;
  faults.abort = 0.01;
  faults.bad_update = 0.05;
  faults.client_dies = 0.05;
  faults.client_fails = 0.03;
  faults.client_slow = 0.05;
  faults.lease_lost = 0.03;
  faults.message_lost = 0.03;
  faults.message_twice = 0.05;
  return faults;
}

SimulationOptions SmallRun(uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.trainers = 40;
  options.evaluators = 2;
  options.round.rounds = 6;
  options.round.clients = 8;
  options.round.invited = 8 + static_cast<uint32_t>(seed % 5);
  options.round.min_updates = 8 - static_cast<uint32_t>(seed % 4);
  options.round.deadline = absl::Seconds(60);
  options.round.invite_wait = absl::Minutes(2);
  options.round.max_failed_rounds = 6;
  options.round.evaluate_every = static_cast<uint32_t>(seed % 3);
  options.round.seed = seed;
  options.round.ask_client_for_initial = seed % 2 == 0;
  options.faults = AllFaults();
  if (seed % 10 == 7) options.stop_after = absl::Seconds(20 + static_cast<int64_t>(seed % 100));
  return options;
}

SimulationOptions LargeRun(uint64_t seed) {
  SimulationOptions options = SmallRun(seed);
  options.trainers = 1000;
  options.round.rounds = 20;
  options.round.clients = 40;
  options.round.invited = 50;
  options.round.min_updates = 30;
  options.faults.kill = 0.0005;
  return options;
}

struct Totals {
  uint64_t runs_completed = 0, runs_stopped = 0, runs_failed = 0;
  uint64_t kills = 0, failed_rounds = 0, replacements = 0, acknowledged = 0, folded = 0, evaluations = 0, events = 0;

  void Add(const SimulationReport& report) {
    runs_completed += report.state == RunState::kCompleted;
    runs_stopped += report.state == RunState::kStopped;
    runs_failed += report.state == RunState::kFailed;
    kills += report.kills;
    failed_rounds += report.failed_rounds;
    replacements += report.replacements;
    acknowledged += report.acknowledged;
    folded += report.folded;
    evaluations += report.evaluations;
    events += report.events;
  }
};

void ExpectLawful(const SimulationOptions& options, Totals* totals) {
  const SimulationReport report = Simulate(options);
  totals->Add(report);
  EXPECT_TRUE(report.violations.empty()) << "seed " << options.seed << ":\n" << absl::StrJoin(report.violations, "\n");
}

void Print(const char* name, const Totals& totals) {
  std::printf(
      "%s: %lu completed, %lu stopped, %lu failed, %lu events, %lu kills, %lu failed rounds, %lu replacements, %lu "
      "updates acknowledged, "
      "%lu folded, %lu evaluations\n",
      name, totals.runs_completed, totals.runs_stopped, totals.runs_failed, totals.events, totals.kills,
      totals.failed_rounds, totals.replacements, totals.acknowledged, totals.folded, totals.evaluations);
}

TEST(SimulationTest, WithoutFaultsEveryRoundIsPublishedAndEveryDueVersionEvaluated) {
  SimulationOptions options = SmallRun(1);
  options.faults = Faults();
  options.round.evaluate_every = 1;
  const SimulationReport report = Simulate(options);
  EXPECT_TRUE(report.violations.empty()) << absl::StrJoin(report.violations, "\n");
  EXPECT_EQ(report.state, RunState::kCompleted);
  EXPECT_EQ(report.versions, 7u);
  EXPECT_EQ(report.failed_rounds, 0u);
  EXPECT_EQ(report.evaluations, 7u);
  EXPECT_EQ(report.folded, 6u * 8u);
}

TEST(SimulationTest, FortyClientsUnderEveryFaultBreakNoRule) {
  Totals totals;
  for (uint64_t seed = 0; seed < 400; ++seed) ExpectLawful(SmallRun(seed), &totals);
  Print("40 clients", totals);
  // The faults did happen, and most runs got through all the same.
  EXPECT_GT(totals.runs_completed, 200u);
  EXPECT_GT(totals.runs_stopped, 10u);
  EXPECT_GT(totals.kills, 400u);
  EXPECT_GT(totals.failed_rounds, 100u);
  EXPECT_GT(totals.replacements, 100u);
  EXPECT_GT(totals.acknowledged, totals.folded);
}

TEST(SimulationTest, AThousandClientsUnderEveryFaultBreakNoRule) {
  Totals totals;
  for (uint64_t seed = 0; seed < 16; ++seed) ExpectLawful(LargeRun(seed), &totals);
  Print("1000 clients", totals);
  EXPECT_GT(totals.kills, 16u);
  EXPECT_GT(totals.folded, 16u * 20u * 15u);
}

TEST(SimulationTest, AThousandInvitedAtOnceBreakNoRule) {
  Totals totals;
  SimulationOptions options = LargeRun(3);
  options.round.rounds = 1;
  options.round.clients = 800;
  options.round.invited = 950;
  options.round.min_updates = 600;
  ExpectLawful(options, &totals);
  EXPECT_GE(totals.folded, 600u);
}

TEST(SimulationTest, AServerThatDiesAllTheTimeStillEndsItsRuns) {
  Totals totals;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SimulationOptions options = SmallRun(seed);
    options.faults.kill = 0.03;
    ExpectLawful(options, &totals);
  }
  Print("dying server", totals);
  EXPECT_GT(totals.kills, 1500u);
}

TEST(SimulationTest, TheSameSeedGivesTheSameEffects) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const SimulationReport once = Simulate(SmallRun(seed)), twice = Simulate(SmallRun(seed));
    EXPECT_EQ(once.trace, twice.trace) << "seed " << seed;
    EXPECT_EQ(once.events, twice.events) << "seed " << seed;
    EXPECT_NE(once.trace, Simulate(SmallRun(seed + 1000)).trace) << "seed " << seed;
  }
}

}  // namespace
}  // namespace thinwire
