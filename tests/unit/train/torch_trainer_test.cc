#include "client/train/torch_trainer.h"

#include <filesystem>
#include <thread>

#include "client/train/local_data.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr ImageShape kSmall = {1, 8, 8};

TEST(TorchTrainer, InitialWeightsDependOnTheSeedAlone) {
  const auto trainer = MakeTrainer("cnn", StripedImages(10, kSmall, 2));
  const ModelState a = trainer->Initialize(1).value();
  EXPECT_EQ(a.spec, trainer->model());
  EXPECT_TRUE(SameBits(a, trainer->Initialize(1).value()));
  EXPECT_FALSE(SameBits(a, trainer->Initialize(2).value()));
}

TEST(TorchTrainer, InitialWeightsDoNotDependOnWhatWasTrainedBefore) {
  const auto trainer = MakeTrainer("cifar-cnn", StripedImages(10, kSmall, 2));
  const ModelState before = trainer->Initialize(1).value();
  ModelState state = before;
  ASSERT_TRUE(trainer->Train(Request(0.1, 2), &state).ok());
  EXPECT_TRUE(SameBits(before, trainer->Initialize(1).value()));
}

TEST(TorchTrainer, SameSeedGivesSameBitsAndAnotherSeedDoesNot) {
  for (const char* model : {"mlp", "cnn", "cifar-cnn", "resnet9-narrow"}) {
    const auto trainer = MakeTrainer(model, StripedImages(40, kSmall, 2));
    const auto other = MakeTrainer(model, StripedImages(40, kSmall, 2));
    const ModelState start = trainer->Initialize(1).value();
    ModelState a = start, b = start, c = start, d = start;
    ASSERT_TRUE(trainer->Train(Request(0.05, 5, 7), &a).ok());
    ASSERT_TRUE(trainer->Train(Request(0.05, 5, 8), &c).ok());
    ASSERT_TRUE(trainer->Train(Request(0.05, 5, 7), &b).ok());
    std::thread([&] { EXPECT_TRUE(other->Train(Request(0.05, 5, 7), &d).ok()); }).join();
    EXPECT_TRUE(SameBits(a, b)) << model;
    EXPECT_FALSE(SameBits(a, c)) << model;
    EXPECT_TRUE(SameBits(a, d)) << model << ": another trainer on another thread";
  }
}

// 3x8x8 as CIFAR-10's loader leaves them.
Dataset Photographs(size_t size, uint64_t seed = 1) {
  Dataset data = StripedImages(size, {3, 8, 8}, 2, seed);
  data.photographs = true;
  data.channels = {{0.5f, 0.25f}, {0.4f, 0.2f}, {0.3f, 0.125f}};
  return data;
}

std::unique_ptr<ImageTrainer> MakeMlp(AugmentRule augment, Dataset train, Dataset test = {}) {
  TorchTrainerOptions options;
  options.model = "mlp";
  options.augment = augment;
  return MakeTorchTrainer(options, std::move(train), std::move(test)).value();
}

ModelState Trained(AugmentRule augment, const Dataset& data, uint64_t seed) {
  const auto trainer = MakeMlp(augment, data);
  ModelState state = trainer->Initialize(1).value();
  EXPECT_TRUE(trainer->Train(Request(0.05, 3, seed), &state).ok());
  return state;
}

TEST(TorchTrainer, AugmentsPhotographsUnlessToldOtherwise) {
  const Dataset photographs = Photographs(16);
  Dataset others = photographs;
  others.photographs = false;
  const ModelState plain = Trained(AugmentRule::kNone, photographs, 7);
  EXPECT_FALSE(SameBits(Trained(AugmentRule::kAuto, photographs, 7), plain));
  EXPECT_TRUE(SameBits(Trained(AugmentRule::kAuto, others, 7), plain));
  EXPECT_TRUE(SameBits(Trained(AugmentRule::kAuto, photographs, 7), Trained(AugmentRule::kFlipCrop, others, 7)));
}

TEST(TorchTrainer, AugmentationFollowsTheSeedOfTheRequest) {
  // One black image but for one pixel: order does not matter, and without augmentation the seed neither.
  Dataset data = Photographs(1);
  std::fill(data.images.begin(), data.images.end(), uint8_t{0});
  data.images[27] = 255;
  const ModelState once = Trained(AugmentRule::kFlipCrop, data, 7);
  EXPECT_TRUE(SameBits(once, Trained(AugmentRule::kFlipCrop, data, 7)));
  EXPECT_FALSE(SameBits(once, Trained(AugmentRule::kFlipCrop, data, 8)));
  EXPECT_TRUE(SameBits(Trained(AugmentRule::kNone, data, 7), Trained(AugmentRule::kNone, data, 8)));
}

// A linear model on images whose channels lie far apart sees them as (value - mean) / deviation.
TEST(TorchTrainer, ScalesChannelsByWhatTheDataSay) {
  Dataset scaled = Photographs(20), unit = scaled;
  unit.channels = {{0.5f, 0.25f}, {0.4f, 0.2f}, {0.3f, 0.125f}};
  for (ChannelScale& channel : unit.channels) channel = {0, 1};
  Dataset bare = unit;
  bare.channels.clear();
  const auto loss_of = [](const Dataset& test) {
    const auto trainer = MakeMlp(AugmentRule::kNone, {}, test);
    return trainer->Evaluate(trainer->Initialize(1).value())->loss;
  };
  EXPECT_EQ(loss_of(unit), loss_of(bare));
  EXPECT_NE(loss_of(scaled), loss_of(bare));
  // All pixels at their channel's mean: the first layer sees zeros, whatever the means are.
  for (size_t i = 0; i < scaled.images.size(); ++i)
    scaled.images[i] = i / 64 % 3 == 0 ? 51 : i / 64 % 3 == 1 ? 102 : 204;
  scaled.channels = {{0.2f, 0.25f}, {0.4f, 0.2f}, {0.8f, 0.125f}};
  bare.images.assign(bare.images.size(), 0);
  EXPECT_NEAR(loss_of(scaled), loss_of(bare), 1e-6);
}

TEST(TorchTrainer, DropoutFollowsTheSeedOfTheRequest) {
  // One batch of everything, so that the order of samples hardly matters and dropout does.
  const auto trainer = MakeTrainer("cifar-cnn", StripedImages(16, kSmall, 2));
  const ModelState start = trainer->Initialize(1).value();
  ModelState a = start, b = start;
  ASSERT_TRUE(trainer->Train(Request(0.05, 1, 7), &a).ok());
  ASSERT_TRUE(trainer->Train(Request(0.05, 1, 8), &b).ok());
  EXPECT_GT(Distance(a, b), 0.01 * Distance(a, start));
}

TEST(TorchTrainer, WithOtherDataItIsAsIfItHadBeenMadeWithThem) {
  const auto lent = MakeTrainer("cnn", StripedImages(40, kSmall, 2));
  const auto own = MakeTrainer("cnn", StripedImages(24, kSmall, 2));
  const ModelState start = own->Initialize(1).value();
  ModelState a = start, b = start, c = start;
  TrainRequest request = Request(0.01, 3, 7);
  request.options.optimizer = TrainingOptions::Optimizer::kAdam;
  request.options.keep_state = true;  // moments of the data before must not be taken over
  ASSERT_TRUE(lent->Train(request, &a).ok());
  ASSERT_TRUE(lent->SetTrainingData(StripedImages(24, kSmall, 2)).ok());
  EXPECT_EQ(lent->examples(), 24u);
  ASSERT_TRUE(lent->Train(request, &b).ok());
  ASSERT_TRUE(own->Train(request, &c).ok());
  EXPECT_TRUE(SameBits(b, c));
  EXPECT_FALSE(SameBits(a, b));
  EXPECT_FALSE(lent->SetTrainingData(StripedImages(24, {1, 8, 9}, 2)).ok());
  EXPECT_FALSE(lent->SetTrainingData({}).ok());
}

TEST(TorchTrainer, LearnsStripes) {
  for (const char* model : {"mlp", "cnn"}) {
    const auto trainer = MakeTrainer(model, StripedImages(400, kSmall, 4), StripedImages(200, kSmall, 4, 99));
    ModelState state = trainer->Initialize(1).value();
    const EvaluateResult before = trainer->Evaluate(state).value();
    TrainRequest request = Request(0.05, 0);
    request.options.local_epochs = 10;
    request.options.momentum = 0.9;
    ASSERT_TRUE(trainer->Train(request, &state).ok());
    const EvaluateResult after = trainer->Evaluate(state).value();
    EXPECT_EQ(after.examples, 200u);
    EXPECT_LT(after.loss, 0.5 * before.loss) << model;
    EXPECT_GT(after.accuracy, 0.9) << model;
  }
}

TEST(TorchTrainer, LearnsFashionMnistBeyondChance) {
  if (!std::filesystem::exists(kFashionMnistFolder)) {
    GTEST_SKIP() << "install Debian's package dataset-fashion-mnist to run this test";
  }
  LocalDataOptions data;
  data.samples = 2000;
  const auto trainer = MakeTrainer("cnn", LoadTrainingShard(data).value(), LoadTestSet(data.folder).value());
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = Request(0.05, 0);
  request.options.momentum = 0.9;
  const auto first = trainer->Train(request, &state);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->examples, 2000u);
  const auto second = trainer->Train(request, &state);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(second->loss, first->loss);
  const EvaluateResult result = trainer->Evaluate(state).value();
  EXPECT_EQ(result.examples, 10000u);
  EXPECT_GT(result.accuracy, 0.5);
}

TEST(TorchTrainer, StepsAndEpochsCountAsTheySay) {
  const auto trainer = MakeTrainer("mlp", StripedImages(70, kSmall, 2));
  const auto last_line = [&](uint32_t epochs, uint32_t steps) {
    TrainRequest request = Request(0.01, steps);
    request.options.local_epochs = epochs;
    std::string last;
    request.progress = [&](const std::string& line) { last = line; };
    ModelState state = trainer->Initialize(1).value();
    EXPECT_TRUE(trainer->Train(request, &state).ok());
    return last;
  };
  EXPECT_EQ(last_line(2, 0), "step 6 of 6");
  EXPECT_EQ(last_line(2, 5), "step 5 of 5");
}

TEST(TorchTrainer, StopsBetweenStepsWhenCancelled) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 2));
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = Request(0.01, 1000);
  int polls = 0;
  request.cancelled = [&] { return ++polls > 3; };
  EXPECT_EQ(trainer->Train(request, &state).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(polls, 4);
}

TEST(TorchTrainer, DivergenceNamesTheStepAndTheWayOut) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 2));
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = Request(1e30, 10);
  request.round = 3;
  const absl::Status status = trainer->Train(request, &state).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training diverged in round 3"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("lower the learning rate (now 1e+30)"));
}

TEST(TorchTrainer, AnInfiniteWeightAfterTheLastStepIsRefused) {
  const auto trainer = MakeTrainer("mlp", StripedImages(64, kSmall, 2));
  ModelState state = trainer->Initialize(1).value();
  state.floats[5][0] = 3e38f;
  TrainRequest request = Request(1, 1);
  request.options.weight_decay = 3e38;
  const absl::Status status = trainer->Train(request, &state).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training diverged"));
}

TEST(TorchTrainer, AnotherModelIsRefusedByTensor) {
  const auto trainer = MakeTrainer("mlp", StripedImages(4, kSmall, 2), StripedImages(4, kSmall, 2));
  ModelState state = MakeTrainer("mlp", StripedImages(4, kSmall, 3))->Initialize(1).value();
  const absl::Status status = trainer->Train(Request(0.1, 1), &state).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'fc3.weight' [3,200] float32, here it is 'fc3.weight' [2,200]"));
  EXPECT_EQ(trainer->Evaluate(state).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TorchTrainer, BadOptionsAreRefusedBeforeTraining) {
  const auto trainer = MakeTrainer("mlp", StripedImages(4, kSmall, 2));
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = Request(0.1, 1);
  request.options.batch_size = 0;
  EXPECT_THAT(std::string(trainer->Train(request, &state).status().message()), HasSubstr("batch_size is 0"));
}

TEST(TorchTrainer, BatchNormNeedsTwoSamples) {
  const auto single = MakeTrainer("cifar-cnn", StripedImages(1, kSmall, 2));
  ModelState state = single->Initialize(1).value();
  const absl::Status status = single->Train(Request(0.1, 1), &state).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at least 2 samples"));
  // 33 samples in batches of 32: the last one joins the first batch.
  const auto odd = MakeTrainer("cifar-cnn", StripedImages(33, kSmall, 2));
  TrainRequest request = Request(0.01, 0);
  EXPECT_TRUE(odd->Train(request, &state).ok());
}

TEST(TorchTrainer, RolesNeedTheirData) {
  const auto evaluator = MakeTrainer("mlp", {}, StripedImages(4, kSmall, 2));
  ModelState state = evaluator->Initialize(1).value();
  EXPECT_EQ(evaluator->Train(Request(0.1, 1), &state).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(evaluator->Evaluate(state).ok());
  const auto trainer = MakeTrainer("mlp", StripedImages(4, kSmall, 2));
  EXPECT_EQ(trainer->Evaluate(state).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TorchTrainer, DataThatDoesNotFitIsRefused) {
  TorchTrainerOptions options;
  options.model = "mlp";
  EXPECT_FALSE(MakeTorchTrainer(options, {}, {}).ok());
  const absl::Status shapes =
      MakeTorchTrainer(options, StripedImages(4, {1, 8, 8}, 2), StripedImages(4, {1, 8, 9}, 2)).status();
  EXPECT_THAT(std::string(shapes.message()), HasSubstr("training images are 1x8x8, test images 1x8x9"));
  Dataset bad = StripedImages(4, kSmall, 2);
  bad.labels[2] = 7;
  EXPECT_THAT(std::string(MakeTorchTrainer(options, bad, {}).status().message()), HasSubstr("label 7 of image 2"));
}

TEST(TorchTrainer, DevicesAreNamedInErrors) {
  TorchTrainerOptions options;
  options.device = "tpu";
  const absl::Status unknown = MakeTorchTrainer(options, StripedImages(4, kSmall, 2), {}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("device 'tpu': use cpu, cuda or cuda:N"));
  options.device = "cuda:99";
  EXPECT_FALSE(MakeTorchTrainer(options, StripedImages(4, kSmall, 2), {}).ok());
}

TEST(TorchTrainer, EvaluationDoesNotDependOnItsBatchSize) {
  const Dataset test = StripedImages(97, kSmall, 4);
  TorchTrainerOptions options;
  options.model = "cnn";
  options.evaluation_batch = 10;
  const auto small = MakeTorchTrainer(options, {}, test).value();
  options.evaluation_batch = 1000;
  const auto large = MakeTorchTrainer(options, {}, test).value();
  const ModelState state = small->Initialize(1).value();
  const EvaluateResult a = small->Evaluate(state).value(), b = large->Evaluate(state).value();
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  EXPECT_EQ(a.examples, 97u);
}

}  // namespace
}  // namespace thinwire
