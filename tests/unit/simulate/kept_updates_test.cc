// What --keep-updates leaves.
#include "deploy/simulate/kept_updates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/train/echo_trainer.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "deploy/simulate/echo_task.h"
#include "deploy/simulate/simulation.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OneTrainer : public WorkerTrainer {
 public:
  explicit OneTrainer(std::unique_ptr<Trainer> trainer) : trainer_(std::move(trainer)) {}
  absl::StatusOr<Trainer*> ForTraining(uint32_t) override { return trainer_.get(); }
  absl::StatusOr<Trainer*> ForEvaluation() override { return trainer_.get(); }

 private:
  const std::unique_ptr<Trainer> trainer_;
};

// A matrix, statistics that are not trained, and a row.
class SmallTask : public SimulationTask {
 public:
  SmallTask() {
    options_.spec = *ModelSpec::Create({{"matrix", {2, 3}},
                                        {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                                        {"count", {}, DataType::kInt64, TensorRole::kBuffer},
                                        {"row", {5}}});
  }
  const ModelSpec& model() const override { return *options_.spec; }
  uint64_t examples(uint32_t) const override { return 1; }
  absl::StatusOr<std::unique_ptr<WorkerTrainer>> MakeWorkerTrainer() const override {
    auto trainer = MakeEchoTrainer(options_);
    if (!trainer.ok()) return trainer.status();
    return std::make_unique<OneTrainer>(*std::move(trainer));
  }

 private:
  EchoOptions options_;
};

std::vector<float> ValuesIn(const std::string& npy) {
  const size_t start = 10 + LoadLittle<uint16_t>(npy.data() + 8);
  EXPECT_EQ(start % 64, 0u);
  EXPECT_EQ(npy[start - 1], '\n');
  std::vector<float> values;
  for (size_t at = start; at < npy.size(); at += 4) {
    values.push_back(FloatFromBits(LoadLittle<uint32_t>(npy.data() + at)));
  }
  return values;
}

TEST(KeptUpdatesTest, AnUpdateIsWhatTrainingAddedToTrainableValues) {
  TemporaryDirectory folder;
  const std::string path = folder.Path("kept");
  ASSERT_OK_AND_ASSIGN(const auto task, KeepUpdates(std::make_unique<SmallTask>(), path));
  ASSERT_OK_AND_ASSIGN(const auto worker, task->MakeWorkerTrainer());
  ASSERT_OK_AND_ASSIGN(Trainer* const trainer, worker->ForTraining(7));
  ASSERT_OK_AND_ASSIGN(const ModelState start, trainer->Initialize(1));
  ModelState state = start;
  TrainRequest request;
  request.round = 3;
  request.seed = 9;
  ASSERT_THAT(trainer->Train(request, &state), IsOk());

  std::vector<float> expected;
  for (const size_t tensor : {0, 3}) {
    for (size_t i = 0; i < start.floats[tensor].size(); ++i) {
      expected.push_back(state.floats[tensor][i] - start.floats[tensor][i]);
    }
  }
  ASSERT_EQ(expected.size(), 11u);
  EXPECT_NE(expected[0], 0);
  ASSERT_OK_AND_ASSIGN(const std::string npy, ReadWholeFile(JoinPath(path, "r03_c7.npy"), 1 << 20));
  EXPECT_THAT(npy, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (11,), }"));
  EXPECT_EQ(ValuesIn(npy), expected);
}

TEST(KeptUpdatesTest, NamesAndShapesAreOfTrainableTensors) {
  TemporaryDirectory folder;
  ASSERT_OK_AND_ASSIGN(const auto task, KeepUpdates(std::make_unique<SmallTask>(), folder.Path("kept")));
  ASSERT_OK_AND_ASSIGN(std::string meta, ReadWholeFile(folder.Path("kept/meta.json"), 1 << 20));
  meta.erase(std::remove_if(meta.begin(), meta.end(), [](char c) { return c == ' ' || c == '\n'; }), meta.end());
  EXPECT_EQ(meta, R"({"names":["matrix","row"],"shapes":[[2,3],[5]],"n":11})");
}

TEST(KeptUpdatesTest, AFolderWithUpdatesIsRefused) {
  TemporaryDirectory folder;
  ASSERT_THAT(KeepUpdates(std::make_unique<SmallTask>(), folder.Path("kept")).status(), IsOk());
  EXPECT_THAT(KeepUpdates(std::make_unique<SmallTask>(), folder.Path("kept")).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("holds updates already")));
}

TEST(KeptUpdatesTest, ARunKeepsThoseOfItsRoundsAndEndsWithTheSameModel) {
  spdlog::set_level(spdlog::level::err);
  TemporaryDirectory folder;
  SimulationOptions options;
  options.task = "echo";
  options.clients = options.clients_per_round = 2;
  options.rounds = 2;
  options.threads = 2;
  options.plan = "fp32";
  std::vector<std::string> models;
  for (const bool keep : {false, true}) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<SimulationTask> task, MakeEchoTask(options));
    if (keep) {
      ASSERT_OK_AND_ASSIGN(task, KeepUpdates(std::move(task), folder.Path("kept")));
    }
    options.state = folder.Path(keep ? "with" : "without");
    ASSERT_OK_AND_ASSIGN(const SimulationReport report, Simulation(options, task.get(), nullptr).Run());
    EXPECT_EQ(report.state, "COMPLETED") << report.reason;
    models.push_back(report.model_sha256);
  }
  EXPECT_EQ(models[0], models[1]);
  ASSERT_OK_AND_ASSIGN(std::vector<std::string> names, ListDirectory(folder.Path("kept")));
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("meta.json", "r01_c0.npy", "r01_c1.npy", "r02_c0.npy", "r02_c1.npy"));
}

}  // namespace
}  // namespace thinwire
