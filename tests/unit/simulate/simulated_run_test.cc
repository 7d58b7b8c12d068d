// Whole simulated runs with clients that echo.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "deploy/simulate/echo_task.h"
#include "deploy/simulate/simulation.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class SimulatedRunTest : public testing::Test {
 protected:
  SimulatedRunTest() { spdlog::set_level(spdlog::level::err); }

  SimulationOptions Echo(uint32_t clients, uint32_t per_round, uint32_t rounds) {
    SimulationOptions options;
    options.task = "echo";
    options.clients = clients;
    options.clients_per_round = per_round;
    options.rounds = rounds;
    options.threads = 2;
    options.parameters = 10'000;
    options.state = folder_.Path(absl::StrCat("run-", ++runs_));
    return options;
  }
  static absl::StatusOr<SimulationReport> Run(const SimulationOptions& options) {
    const auto task = MakeEchoTask(options);
    if (!task.ok()) return task.status();
    return Simulation(options, task->get(), nullptr).Run();
  }

  TemporaryDirectory folder_;
  int runs_ = 0;
};

TEST_F(SimulatedRunTest, TwoThousandClientsTrainInTheMemoryOfAFewModels) {
  SimulationOptions options = Echo(2000, 32, 3);
  options.parameters = 100'000;  // 2,000 models would take 800 MB
  ASSERT_OK_AND_ASSIGN(const SimulationReport report, Run(options));
  EXPECT_EQ(report.state, "COMPLETED") << report.reason;
  ASSERT_EQ(report.rounds.size(), 3u);
  for (const RoundLine& round : report.rounds) EXPECT_TRUE(round.eval_loss.has_value());
  EXPECT_LT(report.usage.peak_rss_bytes, (200u << 20) + kSanitizerMemory);
  EXPECT_GT(report.trainer_down.payload, 3u * 32 * 100'000 * 11 / 8);
  EXPECT_GT(report.trainer_up.payload, 3u * 32 * 100'000 * 11 / 8);
}

TEST_F(SimulatedRunTest, ThreadsDoNotChangeTheModelAndSeedsDo) {
  SimulationOptions options = Echo(40, 8, 4);
  options.threads = 1;
  ASSERT_OK_AND_ASSIGN(const SimulationReport one, Run(options));
  options = Echo(40, 8, 4);
  options.threads = 4;
  ASSERT_OK_AND_ASSIGN(const SimulationReport four, Run(options));
  options = Echo(40, 8, 4);
  options.seed = 2;
  ASSERT_OK_AND_ASSIGN(const SimulationReport other, Run(options));
  ASSERT_EQ(one.model_sha256.size(), 64u);
  EXPECT_EQ(one.model_sha256, four.model_sha256);
  EXPECT_NE(one.model_sha256, other.model_sha256);
  EXPECT_EQ(one.trainer_up.payload, four.trainer_up.payload);
}

// Each client has a variant of its own of every version, whoever of the workers makes it first.
TEST_F(SimulatedRunTest, PartialQuantisationDependsOnThreadsAsLittle) {
  std::vector<std::string> models;
  for (const uint32_t threads : {1, 4}) {
    for (const char* plan : {"s1e3m7/4096", "s1e3m7/4096+partial=0.1", "omc"}) {
      SimulationOptions options = Echo(30, 10, 3);
      options.parameters = 100'000;
      options.plan = plan;
      options.threads = threads;
      ASSERT_OK_AND_ASSIGN(const SimulationReport report, Run(options));
      EXPECT_EQ(report.state, "COMPLETED") << report.reason;
      models.push_back(report.model_sha256);
    }
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(models[i], models[i + 3]);
  EXPECT_NE(models[0], models[1]);
}

TEST_F(SimulatedRunTest, AMedianDependsOnThreadsAsLittleAsAMean) {
  std::vector<std::string> models;
  for (const uint32_t threads : {1, 4}) {
    for (const char* aggregator : {"mean", "median", "trimmed-mean"}) {
      SimulationOptions options = Echo(30, 10, 3);
      options.aggregator = aggregator;
      options.threads = threads;
      ASSERT_OK_AND_ASSIGN(const SimulationReport report, Run(options));
      EXPECT_EQ(report.state, "COMPLETED") << report.reason;
      models.push_back(report.model_sha256);
    }
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(models[i], models[i + 3]);
  EXPECT_NE(models[0], models[1]);
  EXPECT_NE(models[1], models[2]);
}

TEST_F(SimulatedRunTest, ASingleClientIsAFederationToo) {
  ASSERT_OK_AND_ASSIGN(const SimulationReport report, Run(Echo(1, 1, 2)));
  EXPECT_EQ(report.state, "COMPLETED") << report.reason;
}

TEST_F(SimulatedRunTest, ARunThatIsStoppedReportsWhatItHas) {
  const SimulationOptions options = Echo(20, 5, 1'000'000);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SimulationTask> task, MakeEchoTask(options));
  Simulation simulation(options, task.get(), nullptr);
  simulation.RequestStop();
  ASSERT_OK_AND_ASSIGN(const SimulationReport report, simulation.Run());
  EXPECT_EQ(report.state, "STOPPED");
  EXPECT_EQ(report.reason, "interrupted");
}

TEST_F(SimulatedRunTest, AFolderOfAnotherRunIsRefused) {
  const SimulationOptions options = Echo(2, 1, 1);
  ASSERT_THAT(Run(options), IsOk());
  EXPECT_THAT(Run(options), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("holds another run")));
}

// Every client fails in the same way: an update with a norm above the server's bound costs it its place.
TEST_F(SimulatedRunTest, ARunWhoseUpdatesAreAllRefusedFailsAndSaysWhy) {
  SimulationOptions options = Echo(6, 2, 1);
  options.learning_rate = 1000;
  ASSERT_OK_AND_ASSIGN(const SimulationReport report, Run(options));
  EXPECT_EQ(report.state, "FAILED");
  EXPECT_THAT(report.reason, HasSubstr("failed in a row"));
}

}  // namespace
}  // namespace thinwire
