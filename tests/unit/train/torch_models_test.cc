// Models as seen through the trainer, so that this file needs no LibTorch headers.
#include "common/codec/exchange_plan.h"
#include "common/update/upload_budget.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelSpec SpecFor(const std::string& model, ImageShape shape) {
  return MakeTrainer(model, StripedImages(10, shape, 10))->model();
}

uint64_t CountOf(const ModelSpec& spec, DataType dtype, TensorRole role) {
  uint64_t count = 0;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.dtype == dtype && tensor.role == role) count += tensor.count();
  }
  return count;
}

TEST(TorchModels, AreListedByName) {
  EXPECT_THAT(TorchModelNames(), ElementsAre("cifar-cnn", "cnn", "mlp", "resnet9", "resnet9-narrow"));
}

TEST(TorchModels, MlpHas199210Parameters) {
  const ModelSpec spec = SpecFor("mlp", {1, 28, 28});
  EXPECT_EQ(spec.count(TensorRole::kTrainable), 199210u);
  EXPECT_EQ(spec.total_count(), 199210u);
}

TEST(TorchModels, CnnHas114314ParametersUnderPyTorchsNames) {
  const ModelSpec spec = SpecFor("cnn", {1, 28, 28});
  EXPECT_EQ(spec.count(TensorRole::kTrainable), 114314u);
  EXPECT_EQ(spec.total_count(), 114314u);
  std::vector<std::string> names;
  for (const TensorSpec& tensor : spec.tensors()) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias",
                                 "fc2.weight", "fc2.bias"));
  EXPECT_THAT(spec.tensors()[2].shape, ElementsAre(32, 16, 5, 5));
  EXPECT_THAT(spec.tensors()[4].shape, ElementsAre(64, 1568));
}

TEST(TorchModels, CifarCnnHas552874NumbersAndSevenCounters) {
  const ModelSpec spec = SpecFor("cifar-cnn", {3, 32, 32});
  EXPECT_EQ(CountOf(spec, DataType::kFloat32, TensorRole::kTrainable), 551722u);
  EXPECT_EQ(CountOf(spec, DataType::kFloat32, TensorRole::kBuffer), 1152u);
  EXPECT_EQ(CountOf(spec, DataType::kInt64, TensorRole::kBuffer), 7u);
  EXPECT_EQ(spec.count(TensorRole::kFrozen), 0u);
}

// Their statistics once took 0.089 bits a parameter of every update with a budget.
TEST(TorchModels, AnUpdateOfCifarCnnFitsATwentiethOfABitAParameter) {
  const ModelSpec spec = SpecFor("cifar-cnn", {3, 32, 32});
  const ExchangePlan plan = BudgetPlan(*UpdatePlan::Parse("rdu:bits=0.05"));
  EXPECT_TRUE(CheckUploadFits(plan, spec).ok());
  const double bits = static_cast<double>(LeastUploadBits(plan, spec));
  EXPECT_LT(bits / static_cast<double>(spec.count(TensorRole::kTrainable)), 0.018);
}

// Eight convolutions and a linear layer, and nothing else.
TEST(TorchModels, ResNet9Has6568640ParametersAndTheNarrowOne411824) {
  const ModelSpec wide = SpecFor("resnet9", {3, 32, 32}), narrow = SpecFor("resnet9-narrow", {3, 32, 32});
  for (const ModelSpec* spec : {&wide, &narrow}) EXPECT_EQ(spec->tensors().size(), 9u);
  EXPECT_EQ(wide.count(TensorRole::kTrainable), 6568640u);
  EXPECT_EQ(wide.total_count(), 6568640u);
  EXPECT_EQ(narrow.count(TensorRole::kTrainable), 411824u);
  EXPECT_EQ(narrow.total_count(), 411824u);
  EXPECT_THAT(wide.tensors()[0].shape, ElementsAre(64, 3, 3, 3));
  EXPECT_EQ(wide.tensors()[8].name, "linear.weight");
  EXPECT_THAT(wide.tensors()[8].shape, ElementsAre(10, 512));
}

TEST(TorchModels, FitOtherShapesAndNumbersOfClasses) {
  const Dataset data = StripedImages(8, {3, 12, 16}, 4);
  for (const std::string& model : TorchModelNames()) {
    const auto trainer = MakeTrainer(model, data, data);
    ModelState state = trainer->Initialize(1).value();
    EXPECT_TRUE(trainer->Train(Request(0.01, 2), &state).ok()) << model;
    EXPECT_TRUE(trainer->Evaluate(state).ok()) << model;
  }
}

TEST(TorchModels, UnknownNamesAreRefusedWithTheList) {
  TorchTrainerOptions options;
  options.model = "resnet";
  const absl::Status status = MakeTorchTrainer(options, StripedImages(4, {1, 8, 8}, 2), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no model 'resnet'; choose one of: cifar-cnn, cnn, mlp, resnet9, resnet9-narrow"));
}

TEST(TorchModels, ImagesTooSmallAreRefused) {
  TorchTrainerOptions options;
  options.model = "cifar-cnn";
  const absl::Status status = MakeTorchTrainer(options, StripedImages(4, {1, 8, 7}, 2), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at least 8x8, the data has 8x7"));
}

// Seven BatchNorms count their batches; statistics move while training and not while evaluating.
TEST(TorchModels, BuffersTravelWithTheState) {
  const Dataset data = StripedImages(8, {1, 8, 8}, 2);
  const auto trainer = MakeTrainer("cifar-cnn", data, data);
  ModelState state = trainer->Initialize(1).value();
  const ModelState start = state;
  TrainRequest request = Request(0, 3);
  request.options.batch_size = 4;
  ASSERT_TRUE(trainer->Train(request, &state).ok());
  for (size_t i = 0; i < state.ints.size(); ++i) {
    const TensorSpec& tensor = state.spec.tensors()[i];
    if (tensor.dtype == DataType::kInt64) {
      EXPECT_THAT(state.ints[i], ElementsAre(3)) << tensor.name;
    }
    if (tensor.role == TensorRole::kTrainable) {
      EXPECT_EQ(state.floats[i], start.floats[i]) << tensor.name;
    }
    if (tensor.dtype == DataType::kFloat32 && tensor.role == TensorRole::kBuffer) {
      EXPECT_NE(state.floats[i], start.floats[i]) << tensor.name;
    }
  }
  const ModelState trained = state;
  ASSERT_TRUE(trainer->Evaluate(state).ok());
  EXPECT_TRUE(SameBits(state, trained));
}

}  // namespace
}  // namespace thinwire
