#include "client/train/training_check.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

struct BadOption {
  const char* message;
  std::function<void(TrainingOptions&)> spoil;
};

TEST(TrainingCheck, RefusesEachOptionOutOfRangeByName) {
  const BadOption bad[] = {
      {"training.local_epochs and training.local_steps are both 0", [](auto& o) { o.local_epochs = 0; }},
      {"training.batch_size is 0", [](auto& o) { o.batch_size = 0; }},
      {"training.batch_size is 1048577", [](auto& o) { o.batch_size = kMaxBatchSize + 1; }},
      {"training.learning_rate is -0.1", [](auto& o) { o.learning_rate = -0.1; }},
      {"training.learning_rate is nan", [](auto& o) { o.learning_rate = NAN; }},
      {"training.learning_rate is inf", [](auto& o) { o.learning_rate = INFINITY; }},
      {"training.momentum is 1", [](auto& o) { o.momentum = 1; }},
      {"training.weight_decay is -1", [](auto& o) { o.weight_decay = -1; }},
      {"training.beta1 is 1", [](auto& o) { o.beta1 = 1; }},
      {"training.beta2 is 2", [](auto& o) { o.beta2 = 2; }},
      {"training.epsilon is -1", [](auto& o) { o.epsilon = -1; }},
      {"training.proximal_mu is -1", [](auto& o) { o.proximal_mu = -1; }},
  };
  EXPECT_TRUE(CheckTrainingOptions(TrainingOptions()).ok());
  for (const BadOption& option : bad) {
    TrainingOptions options;
    option.spoil(options);
    const absl::Status status = CheckTrainingOptions(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << option.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(option.message));
  }
}

TEST(TrainingCheck, NamesTheTensorInWhichModelsDiffer) {
  const ModelSpec own = ModelSpec::Create({{"a", {2}}, {"b", {3}}}).value();
  EXPECT_TRUE(CheckSameModel(own, own, "m").ok());
  const ModelSpec other_shape = ModelSpec::Create({{"a", {2}}, {"b", {4}}}).value();
  EXPECT_THAT(std::string(CheckSameModel(other_shape, own, "m").message()),
              HasSubstr("tensor 1 is 'b' [4] float32, here it is 'b' [3] float32"));
  const ModelSpec shorter = ModelSpec::Create({{"a", {2}}}).value();
  EXPECT_THAT(std::string(CheckSameModel(shorter, own, "m").message()), HasSubstr("it has 1 tensors, here are 2"));
}

}  // namespace
}  // namespace thinwire
