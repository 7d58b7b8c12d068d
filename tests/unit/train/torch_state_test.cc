#include "client/train/torch_state.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "client/train/matrix_keeper.h"
#include "client/train/module_values.h"
#include "client/train/torch_models.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

// Every float its own position, every integer its own.
ModelState Numbered(const ModelSpec& spec) {
  ModelState state(spec);
  float next = 1;
  for (size_t i = 0; i < state.floats.size(); ++i) {
    for (float& value : state.floats[i]) value = next++;
    for (int64_t& value : state.ints[i]) value = static_cast<int64_t>(1000 + i);
  }
  return state;
}

ModuleValues Load(const ModelState& state, const torch::nn::Module& module) {
  ModuleValues values(module, state.spec, nullptr);
  ModelStateSource source(state);
  EXPECT_TRUE(values.Load(source, {}, {}).ok());
  return values;
}

class TorchStateTest : public ::testing::TestWithParam<const char*> {};

TEST_P(TorchStateTest, EveryValueComesBackFromTheModule) {
  const auto model = MakeImageModel(GetParam(), {{1, 8, 8}, 3}, std::make_shared<PlainMatrices>()).value();
  const ModelState state = Numbered(SpecOf(*model).value());
  ModuleValues values = Load(state, *model);
  ModelState back(state.spec);
  ASSERT_TRUE(ReadModel(values, &back).ok());
  EXPECT_EQ(back.floats, state.floats);
  EXPECT_EQ(back.ints, state.ints);
}

TEST_P(TorchStateTest, EveryTensorOfTheModuleIsListedOnceByItsName) {
  const auto model = MakeImageModel(GetParam(), {{1, 8, 8}, 3}, std::make_shared<PlainMatrices>()).value();
  const ModelSpec spec = SpecOf(*model).value();
  const ModelState state = Numbered(spec);
  Load(state, *model);
  const auto parameters = model->named_parameters();
  const auto buffers = model->named_buffers();
  ASSERT_EQ(spec.tensors().size(), parameters.size() + buffers.size());
  for (size_t i = 0; i < spec.tensors().size(); ++i) {
    const bool trained = spec.tensors()[i].role == TensorRole::kTrainable;
    const at::Tensor tensor = trained ? parameters[spec.tensors()[i].name] : buffers[spec.tensors()[i].name];
    const double first = state.floats[i].empty() ? static_cast<double>(state.ints[i][0]) : state.floats[i][0];
    EXPECT_EQ(tensor.flatten()[0].item<double>(), first) << spec.tensors()[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TorchStateTest, ::testing::Values("mlp", "cnn", "cifar-cnn", "resnet9-narrow"));

TEST(TorchState, ParametersWithoutGradientAreFrozen) {
  const auto model = MakeImageModel("mlp", {{1, 2, 2}, 2}, std::make_shared<PlainMatrices>()).value();
  model->named_parameters()["fc1.weight"].set_requires_grad(false);
  const ModelSpec spec = SpecOf(*model).value();
  EXPECT_EQ(spec.tensors()[0].role, TensorRole::kFrozen);
  EXPECT_EQ(spec.tensors()[1].role, TensorRole::kTrainable);
}

TEST(TorchState, OtherTypesAreRefusedByName) {
  const auto model = MakeImageModel("mlp", {{1, 2, 2}, 2}, std::make_shared<PlainMatrices>()).value();
  model->register_buffer("mask", at::zeros({2}, at::kDouble));
  const absl::Status status = SpecOf(*model).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("'mask' is of type Double"));
}

}  // namespace
}  // namespace thinwire
